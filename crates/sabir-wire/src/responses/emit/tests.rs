//! Requests of other doors in this protocol's words.
use super::*;
