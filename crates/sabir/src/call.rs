//! A call that is about to be made, and in which way its answer is read.
//!
//! Invariants: nothing is sent before somebody waits for the answer; what a method says about a
//! call can be changed by whoever makes it.

use std::{
    fmt,
    future::IntoFuture,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use sabir_types::{Map, Value};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    answer::Answer,
    client::{Sabir, read},
    error::{Error, Result},
    form::{Form, Upload},
    path,
    raw::BodyStream,
    settings::{Options, Place, header},
    spec::{Payload, Spec, members},
    stream::{Ending, RawStream},
};

/// The way in which a client is used: async or blocking.
///
/// Every call is written once, for any surface.
pub trait Surface: Clone + fmt::Debug + Send + Sync + 'static {
    /// What a call gives: a future, or the result itself.
    type Reply<T>;
    /// What comes piece by piece: a stream, or an iterator.
    type Flow<S: 'static>: 'static;

    /// The client that makes the calls.
    #[doc(hidden)]
    fn client(&self) -> &Sabir;
    /// Runs something in this surface's way.
    #[doc(hidden)]
    fn reply<T: 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Self::Reply<T>;
    /// Hands out a stream in this surface's way.
    #[doc(hidden)]
    fn flow<S: 'static>(&self, stream: S) -> Self::Flow<S>;
}

/// A result that is waited for. Dropping it ends what it waits for.
#[must_use = "nothing happens until it is waited for"]
pub struct Pending<T>(Pin<Box<dyn Future<Output = Result<T>> + Send>>);

impl<T> Pending<T> {
    pub(crate) fn new(future: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// A call that is about to be made. `.await` it, or with a blocking client, [`send`](Call::send) it.
#[must_use = "nothing is sent until it is waited for"]
pub struct Call<T, C = Sabir> {
    surface: C,
    spec: Result<Spec>,
    options: Options,
    kind: PhantomData<fn() -> T>,
}

impl<T, C: Surface> Call<T, C> {
    pub(crate) fn new(surface: C, spec: Result<Spec>) -> Self {
        Self { surface, spec, options: Options::new(), kind: PhantomData }
    }

    /// The same call whose answer is read as something else.
    pub fn as_type<U>(self) -> Call<U, C> {
        Call { surface: self.surface, spec: self.spec, options: self.options, kind: PhantomData }
    }

    fn change(mut self, change: impl FnOnce(&mut Spec) -> Result<()>) -> Self {
        let changed = self.spec.as_mut().map(change);
        if let Ok(Err(error)) = changed {
            self.spec = Err(error);
        }
        self
    }

    /// Sends a header with it.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.change(|spec| {
            let (name, value) = header(name, value).map_err(Error::Request)?;
            spec.headers.insert::<HeaderName>(name, value);
            Ok(())
        })
    }

    /// Adds to its query: an object's members become `name[member]`, a list's items `name[]`; null
    /// is left out.
    pub fn query(self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.change(|spec| {
            path::pairs(name, &value, &mut spec.query);
            Ok(())
        })
    }

    /// Sets a member of its body, whatever the body says. Null is sent as null.
    pub fn member(self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.change(|spec| {
            match &mut spec.payload {
                Payload::Json(body) => drop(body.insert(name.to_owned(), value)),
                Payload::Form(form) => form.set(name, &value),
                payload @ Payload::Empty => {
                    *payload = Payload::Json(Map::from_iter([(name.to_owned(), value)]));
                }
                Payload::Bytes(_) | Payload::Upload(_) => {
                    return Err(Error::Request("a body of bytes takes no more members".to_owned()));
                }
            }
            Ok(())
        })
    }

    /// Sends this as its body: anything that serializes to a JSON object.
    pub fn json(self, body: impl Serialize) -> Self {
        let body = members(body);
        self.change(|spec| {
            spec.payload = Payload::Json(body?);
            Ok(())
        })
    }

    /// Sends a form as its body.
    pub fn form(self, form: Form) -> Self {
        self.change(|spec| {
            spec.payload = Payload::Form(form);
            Ok(())
        })
    }

    /// Sends bytes, a file or what a reader gives as its body, as it is.
    pub fn upload(self, body: impl Into<Upload>) -> Self {
        let body = body.into();
        self.change(|spec| {
            spec.payload = Payload::Upload(body);
            Ok(())
        })
    }

    /// Other settings for this call: timeouts, retries, a key.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    fn prepared(self) -> (C, Result<(Sabir, Spec)>) {
        let made = self.spec.and_then(|spec| Ok((self.surface.client().with_options(self.options)?, spec)));
        (self.surface, made)
    }

    /// Sends it and gives the answer's body as it came, whatever it is.
    pub fn raw(self) -> C::Reply<Answer<Bytes>> {
        let (surface, made) = self.prepared();
        surface.reply(async move {
            let (client, spec) = made?;
            fetch(&client, &spec).await
        })
    }

    /// Sends it and gives the answer's body while it comes.
    pub fn open(self) -> C::Reply<C::Flow<BodyStream>> {
        let (surface, made) = self.prepared();
        let runner = surface.clone();
        runner.reply(async move {
            let (client, spec) = made?;
            let opened = client.open(&spec).await?;
            Ok(surface.flow(BodyStream::new(opened.meta, opened.body, opened.clock)))
        })
    }

    /// Sends it and gives the events of the answer; each item is the data of one.
    pub fn events(self) -> C::Reply<C::Flow<RawStream>> {
        self.stream_as(|raw| raw)
    }

    /// Sends it and makes something of the events of the answer.
    pub(crate) fn stream_as<S: 'static>(
        self,
        make: impl FnOnce(RawStream) -> S + Send + 'static,
    ) -> C::Reply<C::Flow<S>> {
        let (surface, made) = self.prepared();
        let runner = surface.clone();
        runner.reply(async move {
            let (client, spec) = made?;
            Ok(surface.flow(make(events(&client, &spec).await?)))
        })
    }

    /// The client and the call, for whoever goes on by themselves.
    pub(crate) fn into_parts(self) -> (C, Result<(Sabir, Spec)>) {
        self.prepared()
    }
}

impl<T: FromAnswer + 'static, C: Surface> Call<T, C> {
    /// Sends it and waits for the answer.
    pub fn send(self) -> C::Reply<Answer<T>> {
        let (surface, made) = self.prepared();
        surface.reply(async move {
            let (client, spec) = made?;
            T::from_answer(fetch(&client, &spec).await?)
        })
    }
}

impl<T: FromAnswer + 'static> IntoFuture for Call<T, Sabir> {
    type Output = Result<Answer<T>>;
    type IntoFuture = Pending<Answer<T>>;

    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

impl<T, C: Surface> fmt::Debug for Call<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.spec.as_ref().map(|spec| (&spec.method, &spec.place));
        f.debug_struct("Call").field("call", &place).finish_non_exhaustive()
    }
}

/// What an answer can be read as.
pub trait FromAnswer: Sized {
    /// Reads it.
    #[doc(hidden)]
    fn from_answer(answer: Answer<Bytes>) -> Result<Answer<Self>>;
}

/// The body as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary(Bytes);

impl Binary {
    /// The bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Writes it into a file.
    pub async fn write_to(&self, path: impl AsRef<std::path::Path>) -> std::io::Result<()> {
        tokio::fs::write(path, &self.0).await
    }
}

impl std::ops::Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl FromAnswer for Binary {
    fn from_answer(answer: Answer<Bytes>) -> Result<Answer<Self>> {
        Ok(answer.map(Binary))
    }
}

/// An answer without a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nothing;

impl FromAnswer for Nothing {
    fn from_answer(answer: Answer<Bytes>) -> Result<Answer<Self>> {
        Ok(answer.map(|_| Self))
    }
}

impl<T: DeserializeOwned> FromAnswer for T {
    fn from_answer(answer: Answer<Bytes>) -> Result<Answer<Self>> {
        decoded(answer)
    }
}

pub(crate) fn decoded<T: DeserializeOwned>(answer: Answer<Bytes>) -> Result<Answer<T>> {
    let (meta, body) = (answer.meta().clone(), answer.into_inner());
    // Whoever has nothing to say may say nothing.
    let text: &[u8] = if body.is_empty() && meta.status() == http::StatusCode::NO_CONTENT { b"null" } else { &body };
    match serde_json::from_slice(text) {
        Ok(value) => Ok(Answer::new(value, meta, body)),
        Err(error) => Err(Error::Decode { message: error.to_string(), body }),
    }
}

/// The whole answer.
pub(crate) async fn fetch(client: &Sabir, spec: &Spec) -> Result<Answer<Bytes>> {
    let opened = client.open(spec).await?;
    let body = read(opened.body, &opened.clock).await?;
    Ok(Answer::new(body.clone(), opened.meta, body))
}

/// The answer's events.
pub(crate) async fn events(client: &Sabir, spec: &Spec) -> Result<RawStream> {
    let opened = client.open(spec).await?;
    let kind = opened.meta.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !kind.starts_with(b"text/event-stream") {
        let message = format!("expected a stream of events, not `{}`", String::from_utf8_lossy(kind));
        return Err(Error::Decode { message, body: read(opened.body, &opened.clock).await? });
    }
    let ending = match &spec.place {
        Place::Api(path) | Place::Path(path) => Ending::of(path),
        Place::Gateway(_) => Ending::Marker,
    };
    Ok(RawStream::new(opened.meta, opened.body, opened.clock, ending))
}

/// The verbs, for one surface. With a gateway a path is whole (`/v1/models`); with another service
/// it begins where the service's address ends (`/models`).
macro_rules! verbs {
    ($surface:ty) => {
        impl $surface {
            /// Any call; [`Call`](crate::Call) takes its body. With a gateway the path is whole, like
            /// `/v1/models`; with another service it begins where the service's address ends.
            pub fn call<T>(&self, method: http::Method, path: &str) -> $crate::Call<T, Self> {
                let place = $crate::settings::Place::Path(path.to_owned());
                $crate::Call::new(self.clone(), Ok($crate::spec::Spec::new(method, place)))
            }

            /// `GET` of a path; see [`call`](Self::call).
            pub fn get<T>(&self, path: &str) -> $crate::Call<T, Self> {
                self.call(http::Method::GET, path)
            }

            /// `DELETE` of a path; see [`call`](Self::call).
            pub fn delete<T>(&self, path: &str) -> $crate::Call<T, Self> {
                self.call(http::Method::DELETE, path)
            }

            /// `POST` to a path, of anything that serializes to a JSON object; see [`call`](Self::call).
            pub fn post<T>(&self, path: &str, body: impl serde::Serialize) -> $crate::Call<T, Self> {
                self.call(http::Method::POST, path).json(body)
            }

            /// `PUT` to a path, of anything that serializes to a JSON object; see [`call`](Self::call).
            pub fn put<T>(&self, path: &str, body: impl serde::Serialize) -> $crate::Call<T, Self> {
                self.call(http::Method::PUT, path).json(body)
            }

            /// `PATCH` of a path, with anything that serializes to a JSON object; see [`call`](Self::call).
            pub fn patch<T>(&self, path: &str, body: impl serde::Serialize) -> $crate::Call<T, Self> {
                self.call(http::Method::PATCH, path).json(body)
            }
        }
    };
}

verbs!(Sabir);
verbs!(crate::blocking::Sabir);
