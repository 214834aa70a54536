//! Vector stores: putting files into them and waiting until they can be searched.

use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Poll, client};
use crate::{
    answer::Answer,
    call::Surface,
    client::Sabir,
    error::{Error, Result},
    form::{Form, Upload},
    resources::{Files, VectorStoresFileBatches, VectorStoresFiles},
    types::{VectorStoreFile, VectorStoreFileBatch},
};

/// How many files are uploaded at once, unless told otherwise.
const AT_ONCE: usize = 5;

async fn uploaded(client: &Sabir, file: Upload) -> Result<String> {
    let form = Form::new().text("purpose", "assistants").file("file", file);
    Ok(Files(client.clone()).create(form).await?.id.clone())
}

async fn searchable(client: Sabir, store: &str, file: &str, poll: Poll) -> Result<Answer<VectorStoreFile>> {
    let files = VectorStoresFiles(client);
    let is_done = |file: &VectorStoreFile| matches!(file.status.as_str(), "cancelled" | "completed" | "failed");
    poll.until(&format!("the file `{file}`"), || files.retrieve(store, file), is_done).await
}

async fn all_searchable(client: Sabir, store: &str, batch: &str, poll: Poll) -> Result<Answer<VectorStoreFileBatch>> {
    let batches = VectorStoresFileBatches(client);
    let is_done = |batch: &VectorStoreFileBatch| batch.file_counts.in_progress == 0 && batch.status != "in_progress";
    poll.until(&format!("the batch `{batch}`"), || batches.retrieve(store, batch), is_done).await
}

impl<C: Surface> VectorStoresFiles<C> {
    /// Waits until a file can be searched, or never will.
    pub fn poll(&self, store: &str, file: &str, poll: Poll) -> C::Reply<Answer<VectorStoreFile>> {
        let (client, store, file) = (client(&self.0), store.to_owned(), file.to_owned());
        self.0.reply(async move { searchable(client, &store, &file, poll).await })
    }

    /// Puts a file into a store and waits until it can be searched, or never will.
    pub fn create_and_poll(&self, store: &str, body: impl Serialize, poll: Poll) -> C::Reply<Answer<VectorStoreFile>> {
        let (client, store) = (client(&self.0), store.to_owned());
        let created = VectorStoresFiles(client.clone()).create(&store, body);
        self.0.reply(async move {
            let file = created.await?.id.clone();
            searchable(client, &store, &file, poll).await
        })
    }

    /// Uploads a file and puts it into a store.
    pub fn upload(&self, store: &str, file: impl Into<Upload>) -> C::Reply<Answer<VectorStoreFile>> {
        let (client, store, file) = (client(&self.0), store.to_owned(), file.into());
        self.0.reply(async move {
            let id = uploaded(&client, file).await?;
            VectorStoresFiles(client).create(&store, json!({"file_id": id})).await
        })
    }

    /// Uploads a file, puts it into a store and waits until it can be searched, or never will.
    pub fn upload_and_poll(
        &self,
        store: &str,
        file: impl Into<Upload>,
        poll: Poll,
    ) -> C::Reply<Answer<VectorStoreFile>> {
        let (client, store, file) = (client(&self.0), store.to_owned(), file.into());
        self.0.reply(async move {
            let id = uploaded(&client, file).await?;
            let file = VectorStoresFiles(client.clone()).create(&store, json!({"file_id": id})).await?.id.clone();
            searchable(client, &store, &file, poll).await
        })
    }
}

impl<C: Surface> VectorStoresFileBatches<C> {
    /// Waits until no file of a batch is at work any more; some may have failed.
    pub fn poll(&self, store: &str, batch: &str, poll: Poll) -> C::Reply<Answer<VectorStoreFileBatch>> {
        let (client, store, batch) = (client(&self.0), store.to_owned(), batch.to_owned());
        self.0.reply(async move { all_searchable(client, &store, &batch, poll).await })
    }

    /// Puts files into a store and waits until none is at work any more.
    pub fn create_and_poll(
        &self,
        store: &str,
        body: impl Serialize,
        poll: Poll,
    ) -> C::Reply<Answer<VectorStoreFileBatch>> {
        let (client, store) = (client(&self.0), store.to_owned());
        let created = VectorStoresFileBatches(client.clone()).create(&store, body);
        self.0.reply(async move {
            let batch = created.await?.id.clone();
            all_searchable(client, &store, &batch, poll).await
        })
    }

    /// Uploads files, five at once, puts them and those of `file_ids` into a store, and waits until
    /// none is at work any more.
    pub fn upload_and_poll(
        &self,
        store: &str,
        files: impl IntoIterator<Item = impl Into<Upload>>,
        file_ids: impl IntoIterator<Item = impl Into<String>>,
        poll: Poll,
    ) -> C::Reply<Answer<VectorStoreFileBatch>> {
        self.upload_some_and_poll(store, files, file_ids, AT_ONCE, poll)
    }

    /// The same with another number of uploads at once.
    pub fn upload_some_and_poll(
        &self,
        store: &str,
        files: impl IntoIterator<Item = impl Into<Upload>>,
        file_ids: impl IntoIterator<Item = impl Into<String>>,
        at_once: usize,
        poll: Poll,
    ) -> C::Reply<Answer<VectorStoreFileBatch>> {
        let (client, store) = (client(&self.0), store.to_owned());
        let files: Vec<Upload> = files.into_iter().map(Into::into).collect();
        let mut ids: Vec<String> = file_ids.into_iter().map(Into::into).collect();
        self.0.reply(async move {
            ids.extend(all_uploaded(&client, files, at_once.max(1)).await?);
            if ids.is_empty() {
                return Err(Error::Request("there is no file to put into the store".to_owned()));
            }
            let batches = VectorStoresFileBatches(client.clone());
            let batch = batches.create(&store, json!({"file_ids": ids})).await?.id.clone();
            all_searchable(client, &store, &batch, poll).await
        })
    }
}

/// The ids of files, in their order. Leaving ends the uploads that run.
async fn all_uploaded(client: &Sabir, files: Vec<Upload>, at_once: usize) -> Result<Vec<String>> {
    let mut ids = vec![String::new(); files.len()];
    let mut waiting = files.into_iter().enumerate();
    let mut running = JoinSet::new();
    loop {
        while running.len() < at_once
            && let Some((index, file)) = waiting.next()
        {
            let client = client.clone();
            running.spawn(async move { (index, uploaded(&client, file).await) });
        }
        match running.join_next().await {
            None => return Ok(ids),
            Some(Err(error)) => return Err(Error::Waiting(format!("an upload was given up: {error}"))),
            Some(Ok((index, id))) => {
                if let Some(place) = ids.get_mut(index) {
                    *place = id?;
                }
            }
        }
    }
}
