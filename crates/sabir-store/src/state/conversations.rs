//! Conversations: lists of items that grow with each answer.
//!
//! Invariant: items keep their order. The place of an answer that is under way is held by one
//! pending item, which is replaced once.

use std::fmt::Debug;

use sabir_types::Uuid;

use crate::Answer;

/// A conversation without its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// Whose it is, if the gateway asks for keys.
    pub caller: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub created: i64,
    /// What the caller says about it, as a JSON object.
    pub metadata: String,
}

/// An item of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationItem {
    /// Its id.
    pub id: String,
    /// The inference whose answer comes here, for an item that stands for one.
    pub pending: Option<Uuid>,
    /// The item as JSON; for a pending one, a JSON array of the items that were asked with.
    pub data: String,
}

/// Keeps conversations.
pub trait ConversationStore: Send + Sync + Debug {
    /// Begins a conversation with these items.
    fn add_conversation(&self, conversation: Conversation, items: Vec<ConversationItem>) -> Answer<'_, ()>;

    /// One conversation.
    fn conversation(&self, id: Uuid) -> Answer<'_, Option<Conversation>>;

    /// Replaces what the caller says about it; false if there is none.
    fn set_metadata(&self, id: Uuid, metadata: String) -> Answer<'_, bool>;

    /// Removes a conversation and its items; false if there is none.
    fn delete_conversation(&self, id: Uuid) -> Answer<'_, bool>;

    /// Its items, in order.
    fn items(&self, conversation: Uuid) -> Answer<'_, Vec<ConversationItem>>;

    /// The item with this id, of whichever conversation, with that conversation's id.
    fn item(&self, id: String) -> Answer<'_, Option<(Uuid, ConversationItem)>>;

    /// Adds items at the end; false if there is no such conversation.
    fn add_items(&self, conversation: Uuid, items: Vec<ConversationItem>) -> Answer<'_, bool>;

    /// Puts items in the place of a pending one; nothing happens if it is not there any more.
    fn settle_item(&self, conversation: Uuid, item: String, with: Vec<ConversationItem>) -> Answer<'_, ()>;

    /// Removes an item; false if there is none.
    fn delete_item(&self, conversation: Uuid, item: String) -> Answer<'_, bool>;
}
