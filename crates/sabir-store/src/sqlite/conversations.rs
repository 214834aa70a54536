//! Conversations in SQLite.
//!
//! Invariant: items stand in the order of their places; a place has room behind it for what
//! replaces a pending item.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sabir_types::Uuid;

use super::row::uuid;
use super::{SMALL, SqliteLedger};
use crate::state::{Conversation, ConversationItem, ConversationStore};
use crate::{Answer, StoreError};

/// How far the places of two items are from each other.
const ROOM: i64 = 1 << 20;
/// The columns that [`item`] reads.
const ITEM: &str = "id, pending, data";

impl ConversationStore for SqliteLedger {
    fn add_conversation(&self, conversation: Conversation, items: Vec<ConversationItem>) -> Answer<'_, ()> {
        self.writer.change(size(&items), move |connection| {
            let text = "INSERT INTO conversation (id, caller, created, metadata) VALUES (?,?,?,?)";
            connection.prepare_cached(text)?.execute(params![
                conversation.id.as_bytes(),
                conversation.caller,
                conversation.created,
                conversation.metadata
            ])?;
            append(connection, connection.last_insert_rowid(), &items)
        })
    }

    fn conversation(&self, id: Uuid) -> Answer<'_, Option<Conversation>> {
        self.readers.ask(move |connection| {
            let text = "SELECT id, caller, created, metadata FROM conversation WHERE id = ?";
            let mut statement = connection.prepare_cached(text)?;
            let mut rows = statement.query([id.as_bytes()])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            Ok(Some(Conversation {
                id: uuid(row, 0)?,
                caller: row.get(1)?,
                created: row.get(2)?,
                metadata: row.get(3)?,
            }))
        })
    }

    fn set_metadata(&self, id: Uuid, metadata: String) -> Answer<'_, bool> {
        self.writer.change(SMALL + metadata.len(), move |connection| {
            let text = "UPDATE conversation SET metadata = ? WHERE id = ?";
            Ok(connection.prepare_cached(text)?.execute(params![metadata, id.as_bytes()])? > 0)
        })
    }

    fn delete_conversation(&self, id: Uuid) -> Answer<'_, bool> {
        self.writer.change(SMALL, move |connection| {
            Ok(connection.prepare_cached("DELETE FROM conversation WHERE id = ?")?.execute([id.as_bytes()])? > 0)
        })
    }

    fn items(&self, conversation: Uuid) -> Answer<'_, Vec<ConversationItem>> {
        self.readers.ask(move |connection| {
            let text = format!(
                "SELECT {ITEM} FROM conversation_item \
                 WHERE conversation = (SELECT seq FROM conversation WHERE id = ?) ORDER BY place"
            );
            let mut statement = connection.prepare_cached(&text)?;
            let mut rows = statement.query([conversation.as_bytes()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(item(row)?);
            }
            Ok(found)
        })
    }

    fn item(&self, id: String) -> Answer<'_, Option<(Uuid, ConversationItem)>> {
        self.readers.ask(move |connection| {
            let text = "SELECT i.id, i.pending, i.data, c.id FROM conversation_item i \
                JOIN conversation c ON c.seq = i.conversation WHERE i.id = ? LIMIT 1";
            let mut statement = connection.prepare_cached(text)?;
            let mut rows = statement.query([id])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            Ok(Some((uuid(row, 3)?, item(row)?)))
        })
    }

    fn add_items(&self, conversation: Uuid, items: Vec<ConversationItem>) -> Answer<'_, bool> {
        self.writer.change(size(&items), move |connection| {
            let Some(seq) = seq(connection, conversation)? else { return Ok(false) };
            append(connection, seq, &items)?;
            Ok(true)
        })
    }

    fn settle_item(&self, conversation: Uuid, item: String, with: Vec<ConversationItem>) -> Answer<'_, ()> {
        self.writer.change(size(&with), move |connection| {
            let Some(seq) = seq(connection, conversation)? else { return Ok(()) };
            let text = "DELETE FROM conversation_item WHERE conversation = ? AND id = ? AND pending IS NOT NULL \
                RETURNING place";
            let place: Option<i64> =
                connection.prepare_cached(text)?.query_row(params![seq, item], |row| row.get(0)).optional()?;
            let Some(place) = place else { return Ok(()) };
            if with.len() as i64 > ROOM {
                return Err(StoreError::Database(format!("an answer with {} items is too long", with.len())));
            }
            (place..).zip(&with).try_for_each(|(place, item)| insert(connection, seq, place, item))
        })
    }

    fn delete_item(&self, conversation: Uuid, item: String) -> Answer<'_, bool> {
        self.writer.change(SMALL, move |connection| {
            let Some(seq) = seq(connection, conversation)? else { return Ok(false) };
            let text = "DELETE FROM conversation_item WHERE conversation = ? AND id = ?";
            Ok(connection.prepare_cached(text)?.execute(params![seq, item])? > 0)
        })
    }
}

fn seq(connection: &Connection, id: Uuid) -> Result<Option<i64>, StoreError> {
    let text = "SELECT seq FROM conversation WHERE id = ?";
    Ok(connection.prepare_cached(text)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
}

fn append(connection: &Connection, seq: i64, items: &[ConversationItem]) -> Result<(), StoreError> {
    let text = "SELECT max(place) FROM conversation_item WHERE conversation = ?";
    let last: Option<i64> = connection.prepare_cached(text)?.query_row([seq], |row| row.get(0))?;
    let next = last.map_or(0, |last| last / ROOM + 1);
    (next..).zip(items).try_for_each(|(at, item)| insert(connection, seq, at * ROOM, item))
}

fn insert(connection: &Connection, seq: i64, place: i64, item: &ConversationItem) -> Result<(), StoreError> {
    let text = "INSERT INTO conversation_item (conversation, place, id, pending, data) VALUES (?,?,?,?,?)";
    let pending = item.pending.as_ref().map(Uuid::as_bytes);
    connection.prepare_cached(text)?.execute(params![seq, place, item.id, pending, item.data])?;
    Ok(())
}

fn item(row: &Row<'_>) -> Result<ConversationItem, StoreError> {
    let pending: Option<[u8; 16]> = row.get(1)?;
    Ok(ConversationItem { id: row.get(0)?, pending: pending.map(Uuid::from_bytes), data: row.get(2)? })
}

fn size(items: &[ConversationItem]) -> usize {
    SMALL + items.iter().map(|item| item.data.len() + SMALL).sum::<usize>()
}
