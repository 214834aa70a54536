//! Answers that are written.
use super::*;
