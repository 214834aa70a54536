//! Files: waiting for them, and uploading them in parts.

use bytes::{Bytes, BytesMut};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Poll, client};
use crate::{
    answer::Answer,
    call::Surface,
    error::{Error, Result},
    form::{Form, Upload},
    resources::{Batches, Files, FineTuningJobs, Uploads},
    types::{Batch, FileObject, FineTuningJob, UploadObject},
};

/// How large the parts of an upload are, unless told otherwise: the most that the API takes.
const PART: usize = 64 << 20;

impl<C: Surface> Files<C> {
    /// Waits until a file is processed, or will never be.
    pub fn wait_for_processing(&self, file: &str, poll: Poll) -> C::Reply<Answer<FileObject>> {
        let (files, file) = (Files(client(&self.0)), file.to_owned());
        self.0.reply(async move {
            let is_done = |file: &FileObject| matches!(file.status.as_deref(), Some("processed" | "error" | "deleted"));
            poll.until(&format!("the file `{file}`"), || files.retrieve(&file), is_done).await
        })
    }
}

impl<C: Surface> Batches<C> {
    /// Waits until a batch is over, whichever way.
    pub fn wait(&self, batch: &str, poll: Poll) -> C::Reply<Answer<Batch>> {
        let (batches, batch) = (Batches(client(&self.0)), batch.to_owned());
        self.0.reply(async move {
            let is_done =
                |batch: &Batch| matches!(batch.status.as_str(), "completed" | "failed" | "expired" | "cancelled");
            poll.until(&format!("the batch `{batch}`"), || batches.retrieve(&batch), is_done).await
        })
    }
}

impl<C: Surface> FineTuningJobs<C> {
    /// Waits until a job is over, whichever way.
    pub fn wait(&self, job: &str, poll: Poll) -> C::Reply<Answer<FineTuningJob>> {
        let (jobs, job) = (FineTuningJobs(client(&self.0)), job.to_owned());
        self.0.reply(async move {
            let is_done = |job: &FineTuningJob| matches!(job.status.as_str(), "succeeded" | "failed" | "cancelled");
            poll.until(&format!("the job `{job}`"), || jobs.retrieve(&job), is_done).await
        })
    }
}

impl<C: Surface> Uploads<C> {
    /// Uploads a file part by part; only one part is in memory. A reader has to say its length.
    pub fn upload_file_chunked(&self, file: impl Into<Upload>, purpose: &str) -> C::Reply<Answer<UploadObject>> {
        self.upload_in_parts(file, purpose, PART)
    }

    /// The same, with parts of another size.
    pub fn upload_in_parts(
        &self,
        file: impl Into<Upload>,
        purpose: &str,
        part_size: usize,
    ) -> C::Reply<Answer<UploadObject>> {
        let (uploads, file, purpose) = (Uploads(client(&self.0)), file.into(), purpose.to_owned());
        self.0.reply(async move {
            let unknown = || Error::Request("an upload in parts needs to know how long it is".to_owned());
            let length = file.length().await?.ok_or_else(unknown)?;
            let request = json!({
                "filename": file.called(), "bytes": length, "mime_type": file.kind(), "purpose": purpose,
            });
            let upload = uploads.create(request).await?;
            let mut reader = file.into_reader().await?;
            let mut parts = Vec::new();
            loop {
                let part = piece(&mut reader, part_size.max(1)).await?;
                if part.is_empty() {
                    break;
                }
                let form = Form::new().file("data", part);
                parts.push(uploads.parts().create(&upload.id, form).await?.id.clone());
            }
            uploads.complete(&upload.id, json!({"part_ids": parts})).await
        })
    }
}

/// The next piece of this size; the last one is shorter, and the one after it is empty.
async fn piece(reader: &mut (impl AsyncRead + Unpin), size: usize) -> Result<Bytes> {
    let mut held = BytesMut::new();
    let mut left = reader.take(size as u64);
    loop {
        match left.read_buf(&mut held).await {
            Ok(0) => return Ok(held.freeze()),
            Ok(_) => {}
            Err(error) => return Err(Error::Request(format!("the upload cannot be read: {error}"))),
        }
    }
}
