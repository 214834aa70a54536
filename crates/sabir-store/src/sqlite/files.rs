//! Files in SQLite, in chunks of their own rows.
//!
//! Invariant: no statement reads or writes more than one chunk.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use sabir_types::Uuid;

use super::row::{body, count, id_value, uuid};
use super::{PARTS, SMALL, SqliteLedger};
use crate::state::{FileQuery, FileRow, FileStore};
use crate::{Answer, StoreError};

/// The columns that [`file`] reads.
const FILE: &str = "id, name, purpose, caller, bytes, created, expires";

impl FileStore for SqliteLedger {
    fn begin_file(&self, file: FileRow) -> Answer<'_, ()> {
        self.writer.change(SMALL, move |connection| {
            let text = "INSERT INTO file (id, name, purpose, caller, bytes, complete, created, expires) \
                VALUES (?,?,?,?,0,0,?,?)";
            connection.prepare_cached(text)?.execute(params![
                file.id.as_bytes(),
                file.name,
                file.purpose,
                file.caller,
                file.created,
                file.expires
            ])?;
            Ok(())
        })
    }

    fn write_chunk(&self, id: Uuid, number: u32, data: Bytes) -> Answer<'_, ()> {
        self.writer.change(SMALL + data.len(), move |connection| {
            let key = key(open(connection, id)?, number)?;
            let text = "INSERT OR REPLACE INTO file_chunk (key, data) VALUES (?,?)";
            connection.prepare_cached(text)?.execute(params![key, &data[..]])?;
            Ok(())
        })
    }

    fn finish_file(&self, file: FileRow) -> Answer<'_, ()> {
        self.writer.change(SMALL, move |connection| {
            let seq = open(connection, file.id)?;
            let text = "UPDATE file SET complete = 1, name = ?, purpose = ?, bytes = ?, expires = ? WHERE seq = ?";
            let bytes = i64::try_from(file.bytes).unwrap_or(i64::MAX);
            connection.prepare_cached(text)?.execute(params![file.name, file.purpose, bytes, file.expires, seq])?;
            Ok(())
        })
    }

    fn file(&self, id: Uuid) -> Answer<'_, Option<FileRow>> {
        self.readers.ask(move |connection| {
            let text = format!("SELECT {FILE} FROM file WHERE id = ? AND complete = 1");
            let mut statement = connection.prepare_cached(&text)?;
            let mut rows = statement.query([id.as_bytes()])?;
            rows.next()?.map(file).transpose()
        })
    }

    fn files(&self, query: FileQuery) -> Answer<'_, Vec<FileRow>> {
        self.readers.ask(move |connection| {
            let mut text = format!("SELECT {FILE} FROM file WHERE complete = 1");
            let mut values: Vec<Value> = Vec::new();
            for (column, wanted) in [("purpose", query.purpose), ("caller", query.caller)] {
                if let Some(wanted) = wanted {
                    text += &format!(" AND {column} = ?");
                    values.push(wanted.into());
                }
            }
            let (sign, order) = if query.ascending { (">", "ASC") } else { ("<", "DESC") };
            if let Some(after) = query.after {
                text += &format!(" AND id {sign} ?");
                values.push(id_value(after));
            }
            text += &format!(" ORDER BY id {order} LIMIT ?");
            values.push(query.limit.map_or(-1, i64::from).into());
            let mut statement = connection.prepare_cached(&text)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(file(row)?);
            }
            Ok(found)
        })
    }

    fn chunk(&self, id: Uuid, number: u32) -> Answer<'_, Option<Bytes>> {
        self.readers.ask(move |connection| {
            let text = "SELECT seq FROM file WHERE id = ? AND complete = 1";
            let seq: Option<i64> =
                connection.prepare_cached(text)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
            let Some(seq) = seq else { return Ok(None) };
            let mut statement = connection.prepare_cached("SELECT data FROM file_chunk WHERE key = ?")?;
            let mut rows = statement.query([key(seq, number)?])?;
            match rows.next()? {
                Some(row) => body(row, 0),
                None => Ok(None),
            }
        })
    }

    fn delete_file(&self, id: Uuid) -> Answer<'_, bool> {
        self.writer.change(SMALL, move |connection| {
            Ok(connection.prepare_cached("DELETE FROM file WHERE id = ?")?.execute([id.as_bytes()])? > 0)
        })
    }
}

/// The row of a file that is not complete yet.
fn open(connection: &Connection, id: Uuid) -> Result<i64, StoreError> {
    let text = "SELECT seq FROM file WHERE id = ? AND complete = 0";
    let found = connection.prepare_cached(text)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::Database(format!("no file {id} is being written")))
}

fn key(seq: i64, number: u32) -> Result<i64, StoreError> {
    let number = i64::from(number);
    if number >= PARTS {
        return Err(StoreError::Database(format!("a file has no chunk with the number {number}")));
    }
    Ok(seq * PARTS + number)
}

fn file(row: &Row<'_>) -> Result<FileRow, StoreError> {
    Ok(FileRow {
        id: uuid(row, 0)?,
        name: row.get(1)?,
        purpose: row.get(2)?,
        caller: row.get(3)?,
        bytes: count(row, 4)?.unwrap_or_default(),
        created: row.get(5)?,
        expires: row.get(6)?,
    })
}
