//! Lists that come page by page.
//!
//! Invariants: every item comes once and in order; a list that does not go on is an error and not
//! an endless loop; nothing is asked for before somebody wants it.

use std::{
    collections::VecDeque,
    fmt,
    future::IntoFuture,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use sabir_types::{Map, Value};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    answer::Meta,
    call::{Call, Pending, Surface, decoded, fetch},
    client::Sabir,
    error::{Error, Result},
    settings::Options,
    spec::Spec,
};

/// Where the page after one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    /// There is none.
    Single,
    /// After the id of the last item.
    Cursor,
    /// After `last_id`.
    Last,
    /// After `next`.
    Next,
    /// At `next`, as `page`.
    Token,
}

impl Paging {
    /// The member of the query that says where a page begins, and what it is for the next page.
    fn next(self, data: &[Value], rest: &Map<String, Value>) -> Option<(&'static str, String)> {
        if rest.get("has_more").and_then(Value::as_bool) == Some(false) || data.is_empty() {
            return None;
        }
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        match self {
            Self::Single => None,
            Self::Cursor => Some(("after", text(data.last()?.get("id"))?)),
            Self::Last => Some(("after", text(rest.get("last_id"))?)),
            Self::Next => Some(("after", text(rest.get("next"))?)),
            Self::Token => Some(("page", text(rest.get("next"))?)),
        }
    }
}

/// A list that is about to be asked for. `.await` gives the first page, or with a blocking client
/// [`first`](Pages::first); [`items`](Pages::items) gives everything.
#[must_use = "nothing is sent until it is waited for"]
pub struct Pages<T, C = Sabir> {
    call: Call<T, C>,
    paging: Paging,
    limit: Option<usize>,
}

/// A page of a list.
pub struct Page<T, C = Sabir> {
    /// The items.
    pub data: Vec<T>,
    /// Everything else that the page has.
    pub rest: Map<String, Value>,
    meta: Meta,
    body: Bytes,
    next: Option<Spec>,
    client: Sabir,
    paging: Paging,
    surface: C,
}

impl<T: DeserializeOwned + Send + 'static, C: Surface> Pages<T, C> {
    pub(crate) fn new(call: Call<T, C>, paging: Paging) -> Self {
        Self { call, paging, limit: None }
    }

    /// Adds to the query, like `limit` for the size of a page.
    pub fn query(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.call = self.call.query(name, value);
        self
    }

    /// Sends a header with each page.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.call = self.call.header(name, value);
        self
    }

    /// Other settings for each page.
    pub fn options(mut self, options: Options) -> Self {
        self.call = self.call.options(options);
        self
    }

    /// No more than so many items in all; the query's `limit` is for one page.
    pub fn at_most(mut self, items: usize) -> Self {
        self.limit = Some(items);
        self
    }

    /// The first page.
    pub fn first(self) -> C::Reply<Page<T, C>> {
        let paging = self.paging;
        let (surface, made) = self.call.into_parts();
        let runner = surface.clone();
        runner.reply(async move {
            let (client, spec) = made?;
            load(surface, client, spec, paging).await
        })
    }

    /// One page after another.
    pub fn pages(self) -> C::Flow<PageStream<T>> {
        let paging = self.paging;
        let (surface, made) = self.call.into_parts();
        surface.flow(PageStream::new(made, paging))
    }

    /// All items of all pages.
    pub fn items(self) -> C::Flow<Items<T>> {
        let (paging, left) = (self.paging, self.limit);
        let (surface, made) = self.call.into_parts();
        surface.flow(Items { pages: PageStream::new(made, paging), held: VecDeque::new(), left })
    }
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for Pages<T, Sabir> {
    type Output = Result<Page<T>>;
    type IntoFuture = Pending<Page<T>>;

    fn into_future(self) -> Self::IntoFuture {
        self.first()
    }
}

impl<T: DeserializeOwned + Send + 'static, C: Surface> Page<T, C> {
    /// Whether there is a page after this one.
    pub fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// The page after this one, if there is one.
    pub fn next(&self) -> C::Reply<Option<Page<T, C>>> {
        let (surface, client, next, paging) =
            (self.surface.clone(), self.client.clone(), self.next.clone(), self.paging);
        self.surface.reply(async move {
            match next {
                None => Ok(None),
                Some(spec) => load(surface, client, spec, paging).await.map(Some),
            }
        })
    }
}

impl<T, C> Page<T, C> {
    /// The status, the headers and how often the call was tried again.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The body as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

async fn load<T: DeserializeOwned, C>(surface: C, client: Sabir, spec: Spec, paging: Paging) -> Result<Page<T, C>> {
    #[derive(Deserialize)]
    struct Raw {
        #[serde(default)]
        data: Option<Vec<Value>>,
        #[serde(flatten)]
        rest: Map<String, Value>,
    }
    let answer = decoded::<Raw>(fetch(&client, &spec).await?)?;
    let (meta, body) = (answer.meta().clone(), answer.body().clone());
    let Raw { data, rest } = answer.into_inner();
    let data = data.unwrap_or_default();
    let next = match paging.next(&data, &rest) {
        None => None,
        Some((name, value)) => {
            let mut next = spec;
            let here = (name.to_owned(), value);
            if next.query.contains(&here) {
                let message = "the list does not go on: its page is the one before it".to_owned();
                return Err(Error::Decode { message, body });
            }
            next.query.retain(|(known, _)| known != name);
            next.query.push(here);
            Some(next)
        }
    };
    let data = data.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
    let data = data.map_err(|e| Error::Decode { message: e.to_string(), body: body.clone() })?;
    Ok(Page { data, rest, meta, body, next, client, paging, surface })
}

/// One page after another: a stream. It ends after an error.
pub struct PageStream<T> {
    state: State<T>,
    paging: Paging,
}

enum State<T> {
    Next(Box<Result<(Sabir, Spec)>>),
    Loading(Pending<Page<T>>),
    End,
}

impl<T: DeserializeOwned + Send + 'static> PageStream<T> {
    fn new(made: Result<(Sabir, Spec)>, paging: Paging) -> Self {
        Self { state: State::Next(Box::new(made)), paging }
    }

    /// The next page; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Page<T>>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T: DeserializeOwned + Send + 'static> Stream for PageStream<T> {
    type Item = Result<Page<T>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match std::mem::replace(&mut this.state, State::End) {
                State::End => return Poll::Ready(None),
                State::Next(made) => match *made {
                    Err(error) => return Poll::Ready(Some(Err(error))),
                    Ok((client, spec)) => {
                        this.state = State::Loading(Pending::new(load(client.clone(), client, spec, this.paging)));
                    }
                },
                State::Loading(mut loading) => match Pin::new(&mut loading).poll(cx) {
                    Poll::Pending => {
                        this.state = State::Loading(loading);
                        return Poll::Pending;
                    }
                    Poll::Ready(page) => {
                        if let Ok(Page { next: Some(next), client, .. }) = &page {
                            this.state = State::Next(Box::new(Ok((client.clone(), next.clone()))));
                        }
                        return Poll::Ready(Some(page));
                    }
                },
            }
        }
    }
}

/// All items of all pages: a stream. It ends after an error.
pub struct Items<T> {
    pages: PageStream<T>,
    held: VecDeque<T>,
    left: Option<usize>,
}

impl<T> Unpin for PageStream<T> {}
impl<T> Unpin for Items<T> {}

impl<T: DeserializeOwned + Send + 'static> Items<T> {
    /// The next item; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<T>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T: DeserializeOwned + Send + 'static> Stream for Items<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.left == Some(0) {
            return Poll::Ready(None);
        }
        loop {
            if let Some(item) = this.held.pop_front() {
                this.left = this.left.map(|left| left - 1);
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(Pin::new(&mut this.pages).poll_next(cx)) {
                Some(Ok(page)) => this.held.extend(page.data),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T, C> fmt::Debug for Pages<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("paging", &self.paging).finish_non_exhaustive()
    }
}

impl<T: fmt::Debug, C> fmt::Debug for Page<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("data", &self.data).field("meta", &self.meta).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for PageStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageStream").field("paging", &self.paging).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("pages", &self.pages).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn next(paging: Paging, page: Value) -> Option<(&'static str, String)> {
        paging.next(page["data"].as_array().unwrap(), page.as_object().unwrap())
    }

    #[test]
    fn each_kind_knows_where_the_next_page_is() {
        let page = json!({"data": [{"id": "a"}, {"id": "b"}], "has_more": true, "last_id": "c", "next": "d"});
        for (paging, wanted) in [
            (Paging::Single, None),
            (Paging::Cursor, Some(("after", "b"))),
            (Paging::Last, Some(("after", "c"))),
            (Paging::Next, Some(("after", "d"))),
            (Paging::Token, Some(("page", "d"))),
        ] {
            let wanted = wanted.map(|(name, value)| (name, value.to_owned()));
            assert_eq!(next(paging, page.clone()), wanted, "{paging:?}");
            let mut last = page.clone();
            last["has_more"] = false.into();
            assert_eq!(next(paging, last), None);
        }
        assert!(next(Paging::Cursor, json!({"data": [{"id": "a"}], "has_more": null})).is_some());
        assert_eq!(next(Paging::Cursor, json!({"data": [{}]})), None);
        assert_eq!(next(Paging::Cursor, json!({"data": []})), None);
    }
}
