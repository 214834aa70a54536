//! Ids: every id that Sabir makes is a UUIDv7, so ids sort by the time they were made.

use uuid::Uuid;

/// A new UUIDv7 for now.
///
/// ```
/// assert_eq!(sabir_types::new_id().get_version_num(), 7);
/// ```
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
