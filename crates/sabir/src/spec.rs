//! What a call sends, and where to.
//!
//! Invariant: what a caller says of a body wins over the body, and what the client says wins over
//! both; a body is made ready once, and sent as often as need be.

use bytes::Bytes;
use http::{HeaderMap, Method};
use sabir_types::{Map, Value};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    form::{Form, Upload},
    link::Outgoing,
    settings::{Place, Settings},
};

/// What a call sends, and where to.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) method: Method,
    pub(crate) place: Place,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
}

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Payload {
    Empty,
    Json(Map<String, Value>),
    /// As it is; JSON if no header says otherwise.
    Bytes(Bytes),
    Form(Form),
    Upload(Upload),
}

impl Spec {
    pub(crate) fn new(method: Method, place: Place) -> Self {
        Self { method, place, query: Vec::new(), headers: HeaderMap::new(), payload: Payload::Empty }
    }

    pub(crate) fn api(method: Method, path: impl Into<String>) -> Self {
        Self::new(method, Place::Api(path.into()))
    }

    pub(crate) fn json(mut self, body: Map<String, Value>) -> Self {
        self.payload = Payload::Json(body);
        self
    }

    /// The model that is asked, where somebody wants to know it.
    pub(crate) fn model(&self, is_wanted: bool) -> Option<String> {
        match &self.payload {
            _ if !is_wanted => None,
            Payload::Json(body) => body.get("model")?.as_str().map(str::to_owned),
            Payload::Form(form) => form.get("model").map(str::to_owned),
            Payload::Bytes(bytes) => {
                let body: Value = serde_json::from_slice(bytes).ok()?;
                body.get("model")?.as_str().map(str::to_owned)
            }
            Payload::Empty | Payload::Upload(_) => None,
        }
    }
}

impl Payload {
    /// With what the settings put into every body, and ready to be sent as often as need be.
    pub(crate) fn encoded(&self, settings: &Settings) -> Result<Self> {
        let prefixed = |model: &str| match &settings.provider {
            Some(provider) if !model.contains("::") => Some(format!("{provider}::{model}")),
            _ => None,
        };
        match self {
            Self::Json(body) => {
                let mut body = body.clone();
                body.extend(settings.members.clone());
                for member in ["model", "model_name"] {
                    if let Some(name) = body.get(member).and_then(Value::as_str).and_then(prefixed) {
                        body.insert(member.into(), name.into());
                    }
                }
                Ok(Self::Bytes(Value::Object(body).to_string().into()))
            }
            Self::Empty if !settings.members.is_empty() => {
                Ok(Self::Bytes(Value::Object(settings.members.clone()).to_string().into()))
            }
            Self::Form(form) => {
                let mut form = form.clone();
                for (name, value) in &settings.members {
                    form.set(name, value);
                }
                if let Some(name) = form.get("model").and_then(prefixed) {
                    form.set("model", &name.into());
                }
                Ok(Self::Form(form))
            }
            Self::Bytes(_) | Self::Upload(_) if !settings.members.is_empty() => {
                Err(Error::Request("a body of bytes takes no more members".to_owned()))
            }
            other => Ok(other.clone()),
        }
    }

    pub(crate) fn can_repeat(&self) -> bool {
        match self {
            Self::Form(form) => form.can_repeat(),
            Self::Upload(upload) => upload.can_repeat(),
            Self::Empty | Self::Json(_) | Self::Bytes(_) => true,
        }
    }

    /// The body, and what its type is if nobody says otherwise.
    pub(crate) async fn open(&self) -> Result<(Outgoing, Option<String>)> {
        const JSON: &str = "application/json";
        Ok(match self {
            Self::Empty => (Outgoing::bytes(Bytes::new()), None),
            Self::Json(body) => (Outgoing::bytes(serde_json::json!(body).to_string().into()), Some(JSON.to_owned())),
            Self::Bytes(bytes) => (Outgoing::bytes(bytes.clone()), Some(JSON.to_owned())),
            Self::Form(form) => {
                let (body, kind) = form.open().await?;
                (body, Some(kind))
            }
            Self::Upload(upload) => (upload.outgoing().await?, Some(upload.kind())),
        })
    }
}

/// A request's members.
pub(crate) fn members(request: impl Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(request) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Error::Request("the request is not a JSON object".to_owned())),
        Err(error) => Err(Error::Request(format!("the request is not JSON: {error}"))),
    }
}

/// The same, of a call that is asked for as a stream or not.
pub(crate) fn streamed(request: impl Serialize, stream: bool) -> Result<Map<String, Value>> {
    let mut members = members(request)?;
    match (stream, members.get("stream")) {
        (false, None | Some(Value::Null | Value::Bool(false))) => {}
        (false, Some(_)) => {
            return Err(Error::Request("`stream` is set: use the method that gives a stream".to_owned()));
        }
        (true, None | Some(Value::Null | Value::Bool(true))) => drop(members.insert("stream".into(), true.into())),
        (true, Some(_)) => {
            return Err(Error::Request("`stream` is false: use the method that gives a whole answer".to_owned()));
        }
    }
    Ok(members)
}
