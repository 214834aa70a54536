//! Forms with files: `multipart/form-data`.
//!
//! Invariants: a file is read while it is sent, never whole; one that can be read only once is
//! sent only once.

use std::{
    collections::VecDeque,
    fmt, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use sabir_types::Value;
use tokio::io::{AsyncRead, ReadBuf};

use crate::{
    error::{Error, Result},
    link::{BodyError, Outgoing},
    path,
};

/// How much of a file is read at once.
const PIECE: usize = 64 << 10;
/// What a file is called that has no name.
const NAMELESS: &str = "upload";

/// A form: texts and files.
#[derive(Debug, Clone, Default)]
pub struct Form {
    texts: Vec<(String, String)>,
    files: Vec<(String, Upload)>,
}

/// Something to upload: bytes, a file, or what a reader gives.
#[derive(Clone)]
pub struct Upload {
    name: Option<String>,
    kind: Option<String>,
    source: Source,
}

type Reader = Box<dyn AsyncRead + Send + Unpin>;

#[derive(Clone)]
enum Source {
    Bytes(Bytes),
    Path(PathBuf),
    /// It is gone once it was sent.
    Reader(Arc<Mutex<Option<Reader>>>, Option<u64>),
}

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.texts.push((name.into(), value.into()));
        self
    }

    /// Adds a value: an object's members become `name[member]`, a list's items `name[]`.
    #[must_use]
    pub fn value(mut self, name: &str, value: impl Into<Value>) -> Self {
        path::pairs(name, &value.into(), &mut self.texts);
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, file: impl Into<Upload>) -> Self {
        self.files.push((name.into(), file.into()));
        self
    }

    /// The first text of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Puts a value in the place of the texts of its name.
    pub(crate) fn set(&mut self, name: &str, value: &Value) {
        let nested = format!("{name}[");
        self.texts.retain(|(known, _)| known != name && !known.starts_with(&nested));
        path::pairs(name, value, &mut self.texts);
    }

    pub(crate) fn can_repeat(&self) -> bool {
        self.files.iter().all(|(_, file)| file.can_repeat())
    }

    /// The body, and what its content type is. Opens the files.
    pub(crate) async fn open(&self) -> Result<(Outgoing, String)> {
        let boundary = format!("sabir-{:032x}", rand::random::<u128>());
        let mut body = Pieces::default();
        for (name, value) in &self.texts {
            let name = quoted(name);
            body.push(format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
        }
        for (name, file) in &self.files {
            let (name, called, kind) = (quoted(name), quoted(&file.called()), file.kind());
            if kind.contains(['\r', '\n']) {
                return Err(Error::Request(format!("the type of `{called}` cannot be sent")));
            }
            body.push(format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{called}\"\r\n\
                 content-type: {kind}\r\n\r\n"
            ));
            file.open(&mut body).await?;
            body.push("\r\n");
        }
        body.push(format!("--{boundary}--\r\n"));
        Ok((Outgoing::stream(body), format!("multipart/form-data; boundary={boundary}")))
    }
}

impl Upload {
    /// These bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(Source::Bytes(bytes.into()))
    }

    /// The file at this path. It is opened when the call is sent.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::new(Source::Path(path.into()))
    }

    /// What a reader gives; its length, if that is known. It cannot be sent a second time, so the
    /// call is not tried again.
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static, length: Option<u64>) -> Self {
        Self::new(Source::Reader(Arc::new(Mutex::new(Some(Box::new(reader)))), length))
    }

    fn new(source: Source) -> Self {
        Self { name: None, kind: None, source }
    }

    /// What it is called: the file's name if this is not said, else `upload`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its media type. It is guessed from the name if this is not said.
    #[must_use]
    pub fn of_type(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    pub(crate) fn called(&self) -> String {
        let of_path = || match &self.source {
            Source::Path(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
            _ => None,
        };
        self.name.clone().or_else(of_path).unwrap_or_else(|| NAMELESS.to_owned())
    }

    pub(crate) fn kind(&self) -> String {
        self.kind.clone().unwrap_or_else(|| guessed(&self.called()).to_owned())
    }

    pub(crate) fn can_repeat(&self) -> bool {
        !matches!(self.source, Source::Reader(..))
    }

    /// How many bytes it has, if that is known without reading it.
    pub(crate) async fn length(&self) -> Result<Option<u64>> {
        match &self.source {
            Source::Bytes(bytes) => Ok(Some(bytes.len() as u64)),
            Source::Path(path) => {
                let data = tokio::fs::metadata(path).await.map_err(|e| unreadable(path, &e))?;
                Ok(Some(data.len()))
            }
            Source::Reader(_, length) => Ok(*length),
        }
    }

    /// It alone as a body.
    pub(crate) async fn outgoing(&self) -> Result<Outgoing> {
        let mut body = Pieces::default();
        self.open(&mut body).await?;
        Ok(Outgoing::stream(body))
    }

    /// Something that reads it from its beginning.
    pub(crate) async fn into_reader(self) -> Result<Reader> {
        match self.source {
            Source::Bytes(bytes) => Ok(Box::new(io::Cursor::new(bytes))),
            Source::Path(path) => Ok(Box::new(tokio::fs::File::open(&path).await.map_err(|e| unreadable(&path, &e))?)),
            Source::Reader(reader, _) => taken(&reader),
        }
    }

    async fn open(&self, body: &mut Pieces) -> Result<()> {
        match &self.source {
            Source::Bytes(bytes) => body.push(bytes.clone()),
            Source::Path(path) => {
                let file = tokio::fs::File::open(path).await.map_err(|e| unreadable(path, &e))?;
                let length = file.metadata().await.map_err(|e| unreadable(path, &e))?.len();
                body.read(Box::new(file), Some(length));
            }
            Source::Reader(reader, length) => body.read(taken(reader)?, *length),
        }
        Ok(())
    }
}

fn taken(reader: &Mutex<Option<Reader>>) -> Result<Reader> {
    reader.lock().take().ok_or_else(|| Error::Request("what a reader gave was sent already".to_owned()))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Request(format!("the file `{}` cannot be read: {error}", path.display()))
}

impl From<&'static str> for Upload {
    /// The text itself, not a path.
    fn from(text: &'static str) -> Self {
        Self::bytes(text)
    }
}

impl From<Vec<u8>> for Upload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Bytes> for Upload {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}

impl From<PathBuf> for Upload {
    fn from(path: PathBuf) -> Self {
        Self::path(path)
    }
}

impl From<&Path> for Upload {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("name", &self.called()).field("type", &self.kind()).finish_non_exhaustive()
    }
}

/// A name within quotes, as browsers write it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn guessed(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv") => "text/csv",
        Some("gif") => "image/gif",
        Some("html" | "htm") => "text/html",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("json") => "application/json",
        Some("jsonl") => "application/jsonl",
        Some("m4a") => "audio/mp4",
        Some("md") => "text/markdown",
        Some("mp3" | "mpga") => "audio/mpeg",
        Some("mp4") => "video/mp4",
        Some("ogg") => "audio/ogg",
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("sdp") => "application/sdp",
        Some("txt") => "text/plain",
        Some("wav") => "audio/wav",
        Some("webm") => "video/webm",
        Some("webp") => "image/webp",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}

/// A body of several pieces, some of which are read only when it is their turn.
#[derive(Default)]
struct Pieces {
    all: VecDeque<Piece>,
    known: u64,
    is_unknown: bool,
}

enum Piece {
    Bytes(Bytes),
    Reader { reader: Reader, left: Option<u64> },
}

impl Pieces {
    fn push(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.known += bytes.len() as u64;
        self.all.push_back(Piece::Bytes(bytes));
    }

    fn read(&mut self, reader: Reader, length: Option<u64>) {
        self.known += length.unwrap_or(0);
        self.is_unknown |= length.is_none();
        self.all.push_back(Piece::Reader { reader, left: length });
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while let Some(piece) = this.all.front_mut() {
            let bytes = match piece {
                Piece::Bytes(bytes) => bytes.split_to(bytes.len().min(PIECE)),
                Piece::Reader { reader, left } => {
                    let want = left.map_or(PIECE, |left| usize::try_from(left).unwrap_or(PIECE).min(PIECE));
                    let mut held = BytesMut::zeroed(want);
                    let mut buffer = ReadBuf::new(&mut held);
                    let read = ready!(Pin::new(reader).poll_read(cx, &mut buffer));
                    let count = buffer.filled().len();
                    if let Err(error) = read {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    if let Some(left) = left {
                        if count == 0 && *left > 0 {
                            return Poll::Ready(Some(Err("the upload is shorter than it was said to be".into())));
                        }
                        *left -= count as u64;
                    }
                    held.truncate(count);
                    held.freeze()
                }
            };
            if bytes.is_empty() {
                this.all.pop_front();
                continue;
            }
            this.known = this.known.saturating_sub(bytes.len() as u64);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        !self.is_unknown && self.known == 0
    }

    fn size_hint(&self) -> SizeHint {
        match self.is_unknown {
            true => SizeHint::new(),
            false => SizeHint::with_exact(self.known),
        }
    }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
