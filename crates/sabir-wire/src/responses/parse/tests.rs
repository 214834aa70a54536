//! Requests that are read.
use super::*;
