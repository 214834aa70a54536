//! What is sent: bytes, or a body that was put together piece by piece.
//!
//! Invariant: a large body is in memory once, however often it is sent.

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use pyo3::{prelude::*, types::PyBytes};

/// A body that grows until it is sent for the first time.
#[pyclass(frozen)]
pub(crate) struct Upload(Mutex<Held>);

enum Held {
    Growing(BytesMut),
    Whole(Bytes),
}

#[pymethods]
impl Upload {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(Held::Growing(BytesMut::new())))
    }

    /// Makes room for so many bytes more.
    fn reserve(&self, more: usize) {
        if let Held::Growing(bytes) = &mut *self.0.lock() {
            bytes.reserve(more);
        }
    }

    /// Adds bytes; whether it still grows.
    fn write(&self, bytes: &[u8]) -> bool {
        match &mut *self.0.lock() {
            Held::Growing(held) => {
                held.extend_from_slice(bytes);
                true
            }
            Held::Whole(_) => false,
        }
    }

    /// What it holds, for who sends it by other means.
    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        match &*self.0.lock() {
            Held::Growing(bytes) => PyBytes::new(py, bytes),
            Held::Whole(bytes) => PyBytes::new(py, bytes),
        }
    }

    fn __len__(&self) -> usize {
        match &*self.0.lock() {
            Held::Growing(bytes) => bytes.len(),
            Held::Whole(bytes) => bytes.len(),
        }
    }
}

/// A request's body.
#[derive(FromPyObject)]
pub(crate) enum Payload<'py> {
    Upload(PyRef<'py, Upload>),
    Bytes(Vec<u8>),
}

impl Payload<'_> {
    pub(crate) fn bytes(self) -> Bytes {
        let upload = match self {
            Self::Bytes(bytes) => return bytes.into(),
            Self::Upload(upload) => upload,
        };
        let mut held = upload.0.lock();
        let whole = match &mut *held {
            Held::Growing(bytes) => std::mem::take(bytes).freeze(),
            Held::Whole(bytes) => bytes.clone(),
        };
        *held = Held::Whole(whole.clone());
        whole
    }
}
