//! The macro that makes the calls of a resource of its rows.
//!
//! Invariant: the table that tests compare with OpenAI's document and the methods are made of the
//! same rows.

use http::{HeaderValue, Method};
use sabir_types::Value;
use serde::de::DeserializeOwned;

use crate::{error::Result, path, spec::Spec};

/// One endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// The resource, like `vector_stores.files`.
    pub resource: &'static str,
    /// The method of the client.
    pub name: &'static str,
    /// The method of HTTP.
    pub method: &'static str,
    /// The path, with `{}` for each of its parameters.
    pub path: &'static str,
    /// What goes out and comes back: `json`, `form`, `binary`, `cursor` and others.
    pub kind: &'static str,
    /// Whether an answer can be read as what the method gives, or why not.
    #[doc(hidden)]
    pub reads: fn(&[u8]) -> std::result::Result<(), String>,
}

/// Whether an answer, or each item of a page, can be read as this type.
pub(super) fn reads<T: DeserializeOwned>(body: &[u8], is_page: bool) -> std::result::Result<(), String> {
    let value: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let items = match value {
        Value::Object(mut members) if is_page => match members.remove("data") {
            Some(Value::Array(items)) => items,
            _ => return Err("there is no list `data`".to_owned()),
        },
        other => vec![other],
    };
    items.into_iter().try_for_each(|item| serde_json::from_value::<T>(item).map(drop).map_err(|e| e.to_string()))
}

/// The call of a row.
pub(super) fn spec(
    method: Method,
    template: &str,
    values: &[(&str, &str)],
    beta: Option<&'static str>,
) -> Result<Spec> {
    let mut spec = Spec::api(method, path::path(template, values)?);
    if let Some(beta) = beta {
        spec.headers.insert("openai-beta", HeaderValue::from_static(beta));
    }
    Ok(spec)
}

/// Resources: a struct with the calls of its rows for each, and a table of all rows.
///
/// A row is the method's name, the method of HTTP, the path, its parameters, how it is called, and
/// what comes back. How it is called is one of:
///
/// | word | sends | gives |
/// |---|---|---|
/// | `none` | nothing | a value |
/// | `json`, `whole` | an object; `whole` may not ask for a stream | a value |
/// | `form` | a form | a value |
/// | `binary`, `json_binary`, `form_binary` | nothing, an object, a form | bytes |
/// | `events`, `form_events`, `get_events` | an object, a form, nothing | a stream |
/// | `single`, `cursor`, `last`, `next`, `token` | nothing | pages of that kind |
/// | `json_single` | an object | a page |
/// | `own` | | it is written by hand |
macro_rules! resources {
    ($table:ident $($(#[$about:meta])* $name:ident $label:literal $beta:tt {
        $(> $child:ident: $kind:ident;)*
        $($row:ident $http:ident $path:literal ($($param:ident),*) $how:ident $(-> $type:ident)?;)*
    })*) => {
        $(
            $(#[$about])*
            #[derive(Debug, Clone)]
            pub struct $name<C = crate::Sabir>(pub(crate) C);

            impl<C: crate::Surface> $name<C> {
                $(
                    #[doc = concat!("The calls of `", $label, ".", stringify!($child), "`.")]
                    pub fn $child(&self) -> $kind<C> {
                        $kind(self.0.clone())
                    }
                )*

                $(resources!(@row $how [$row $http $path ($($param),*) $($type)?] $beta);)*
            }
        )*

        /// Every row.
        pub(super) const $table: &[crate::resources::Endpoint] = &[$($(
            crate::resources::Endpoint {
                resource: $label,
                name: stringify!($row),
                method: stringify!($http),
                path: $path,
                kind: stringify!($how),
                reads: resources!(@reads $how $($type)?),
            },
        )*)*];
    };

    // What has no type of its own is read by hand, or not at all.
    (@reads $how:ident) => { |_| Ok(()) };
    (@reads $how:ident Nothing) => { |_| Ok(()) };
    (@reads single $type:ty) => { |body| crate::resources::table::reads::<$type>(body, true) };
    (@reads cursor $type:ty) => { |body| crate::resources::table::reads::<$type>(body, true) };
    (@reads last $type:ty) => { |body| crate::resources::table::reads::<$type>(body, true) };
    (@reads next $type:ty) => { |body| crate::resources::table::reads::<$type>(body, true) };
    (@reads token $type:ty) => { |body| crate::resources::table::reads::<$type>(body, true) };
    (@reads json_single $type:ty) => { |body| crate::resources::table::reads::<$type>(body, true) };
    (@reads $how:ident $type:ty) => { |body| crate::resources::table::reads::<$type>(body, false) };

    (@beta []) => { None };
    (@beta [$beta:literal]) => { Some($beta) };

    (@spec $http:ident $path:literal ($($param:ident),*) $beta:tt) => {
        crate::resources::table::spec(
            http::Method::$http, $path, &[$((stringify!($param), $param)),*], resources!(@beta $beta),
        )
    };

    (@row own $row:tt $beta:tt) => {};

    (@row none [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`")]
        pub fn $row(&self $(, $param: &str)*) -> crate::Call<$type, C> {
            crate::Call::new(self.0.clone(), resources!(@spec $http $path ($($param),*) $beta))
        }
    };
    (@row json [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, with anything that serializes to a JSON object")]
        pub fn $row(&self $(, $param: &str)*, body: impl serde::Serialize) -> crate::Call<$type, C> {
            let spec = resources!(@spec $http $path ($($param),*) $beta);
            crate::Call::new(self.0.clone(), spec).json(body)
        }
    };
    (@row whole [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, with anything that serializes to a JSON object")]
        pub fn $row(&self $(, $param: &str)*, body: impl serde::Serialize) -> crate::Call<$type, C> {
            let spec = resources!(@spec $http $path ($($param),*) $beta);
            let spec = spec.and_then(|spec| Ok(spec.json(crate::spec::streamed(body, false)?)));
            crate::Call::new(self.0.clone(), spec)
        }
    };
    (@row form [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, with a form")]
        pub fn $row(&self $(, $param: &str)*, form: crate::Form) -> crate::Call<$type, C> {
            crate::Call::new(self.0.clone(), resources!(@spec $http $path ($($param),*) $beta)).form(form)
        }
    };
    (@row binary [$row:ident $http:ident $path:literal ($($param:ident),*)] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, for its bytes; `open` gives them while they come")]
        pub fn $row(&self $(, $param: &str)*) -> crate::Call<crate::Binary, C> {
            crate::Call::new(self.0.clone(), resources!(@spec $http $path ($($param),*) $beta)).header("accept", "*/*")
        }
    };
    (@row json_binary [$row:ident $http:ident $path:literal ($($param:ident),*)] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, for its bytes; `open` gives them while they come")]
        pub fn $row(&self $(, $param: &str)*, body: impl serde::Serialize) -> crate::Call<crate::Binary, C> {
            let call = crate::Call::new(self.0.clone(), resources!(@spec $http $path ($($param),*) $beta));
            call.header("accept", "*/*").json(body)
        }
    };
    (@row form_binary [$row:ident $http:ident $path:literal ($($param:ident),*)] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, with a form, for its bytes")]
        pub fn $row(&self $(, $param: &str)*, form: crate::Form) -> crate::Call<crate::Binary, C> {
            let call = crate::Call::new(self.0.clone(), resources!(@spec $http $path ($($param),*) $beta));
            call.header("accept", "*/*").form(form)
        }
    };
    (@row events [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, piece by piece")]
        pub fn $row(
            &self $(, $param: &str)*, body: impl serde::Serialize,
        ) -> C::Reply<C::Flow<crate::EventStream<$type>>> {
            let spec = resources!(@spec $http $path ($($param),*) $beta);
            let spec = spec.and_then(|spec| Ok(spec.json(crate::spec::streamed(body, true)?)));
            crate::Call::<Value, C>::new(self.0.clone(), spec).stream_as(crate::EventStream::new)
        }
    };
    (@row form_events [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, with a form, piece by piece")]
        pub fn $row(
            &self $(, $param: &str)*, form: crate::Form,
        ) -> C::Reply<C::Flow<crate::EventStream<$type>>> {
            let spec = resources!(@spec $http $path ($($param),*) $beta);
            let call = crate::Call::<Value, C>::new(self.0.clone(), spec).form(form.text("stream", "true"));
            call.stream_as(crate::EventStream::new)
        }
    };
    (@row get_events [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, piece by piece")]
        pub fn $row(&self $(, $param: &str)*) -> C::Reply<C::Flow<crate::EventStream<$type>>> {
            let spec = resources!(@spec $http $path ($($param),*) $beta);
            let call = crate::Call::<Value, C>::new(self.0.clone(), spec).query("stream", true);
            call.stream_as(crate::EventStream::new)
        }
    };
    (@row json_single [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, with anything that serializes to a JSON object")]
        pub fn $row(&self $(, $param: &str)*, body: impl serde::Serialize) -> crate::Pages<$type, C> {
            let call = crate::Call::new(self.0.clone(), resources!(@spec $http $path ($($param),*) $beta));
            crate::Pages::new(call.json(body), crate::pages::Paging::Single)
        }
    };
    (@row single $row:tt $beta:tt) => { resources!(@pages Single $row $beta); };
    (@row cursor $row:tt $beta:tt) => { resources!(@pages Cursor $row $beta); };
    (@row last $row:tt $beta:tt) => { resources!(@pages Last $row $beta); };
    (@row next $row:tt $beta:tt) => { resources!(@pages Next $row $beta); };
    (@row token $row:tt $beta:tt) => { resources!(@pages Token $row $beta); };
    (@pages $paging:ident [$row:ident $http:ident $path:literal ($($param:ident),*) $type:ty] $beta:tt) => {
        #[doc = concat!("`", stringify!($http), " ", $path, "`, page by page")]
        pub fn $row(&self $(, $param: &str)*) -> crate::Pages<$type, C> {
            let call = crate::Call::new(self.0.clone(), resources!(@spec $http $path ($($param),*) $beta));
            crate::Pages::new(call, crate::pages::Paging::$paging)
        }
    };
}

pub(super) use resources;
