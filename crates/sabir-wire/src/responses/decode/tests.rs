//! Answers in odd shapes.
use super::*;
