//! The variables of the environment that the SDK knows.
//!
//! Invariant: this is the one place of the SDK that reads them, all at once; no `Debug` output
//! holds a value.

use std::{collections::HashMap, fmt};

/// Variables: the process's, or others in their place.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The process's variables now. Those that are not Unicode are left out.
    pub fn process() -> Self {
        let all = std::env::vars_os();
        Self(all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect())
    }

    /// These variables and no others.
    pub fn of<K: Into<String>, V: Into<String>>(all: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(all.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// A variable's value. An empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    #[cfg(feature = "embedded")]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    #[cfg(feature = "embedded")]
    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter()
    }

    /// Which proxies it asks for; small letters win, as with curl.
    pub(crate) fn proxies(&self) -> Proxies {
        let either = |small: &str, capital: &str| self.get(small).or_else(|| self.get(capital)).map(str::to_owned);
        // A CGI server sets HTTP_PROXY from the request's `Proxy` header: then only small letters count.
        let http = match self.get("REQUEST_METHOD") {
            Some(_) => self.get("http_proxy").map(str::to_owned),
            None => either("http_proxy", "HTTP_PROXY"),
        };
        Proxies {
            http,
            https: either("https_proxy", "HTTPS_PROXY"),
            all: either("all_proxy", "ALL_PROXY"),
            none: either("no_proxy", "NO_PROXY"),
            loopback: false,
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Environment").field(&self.0.len()).finish()
    }
}

/// Which proxies are asked for. An address may hold a password: there is no `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Proxies {
    pub(crate) http: Option<String>,
    pub(crate) https: Option<String>,
    pub(crate) all: Option<String>,
    pub(crate) none: Option<String>,
    /// Whether this very machine is reached through them too.
    pub(crate) loopback: bool,
}
