//! The one place that looks at the environment.
//!
//! Invariant: nothing else reads it; everybody else is given this snapshot, so tests can make one up.

use std::{collections::HashMap, fmt, fs, io, path::Path};

/// The environment as it was at one moment.
#[derive(Clone, Default)]
pub struct Env {
    variables: HashMap<String, String>,
}

/// Which proxies the environment asks for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://` addresses (`http_proxy`).
    pub http: Option<String>,
    /// For `https://` addresses (`https_proxy`).
    pub https: Option<String>,
    /// For both (`all_proxy`).
    pub all: Option<String>,
    /// Which hosts go without (`no_proxy`).
    pub none: Option<String>,
}

impl fmt::Debug for Proxies {
    // A proxy's address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("all", &self.all.is_some())
            .field("none", &self.none)
            .finish()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("variables", &self.variables.len()).finish()
    }
}

impl Env {
    /// The process's environment now. Variables that are not Unicode are left out.
    pub fn snapshot() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { variables }
    }

    /// An environment of these variables and no others.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// Adds what a `.env` file says; what is set already stays as it is.
    pub fn with_dotenv(mut self, path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        for (index, line) in text.lines().enumerate() {
            let Some((name, value)) = dotenv_line(line).map_err(|what| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}:{}: {what}", path.display(), index + 1))
            })?
            else {
                continue;
            };
            self.variables.entry(name).or_insert(value);
        }
        Ok(self)
    }

    /// A variable's value. An empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A yes-or-no variable: `1`, `true`, `yes`, `on` mean yes, `0`, `false`, `no`, `off` mean no.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("1" | "true" | "yes" | "on") => Ok(Some(true)),
            Some("0" | "false" | "no" | "off") => Ok(Some(false)),
            Some(_) => Err(format!("the environment variable {name} is neither yes nor no (write 1 or 0)")),
        }
    }

    /// The proxies that it asks for; small letters win, as with curl.
    pub fn proxies(&self) -> Proxies {
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
        }
    }
}

/// `NAME=value`, `export NAME='value'`, `# comment` or nothing.
fn dotenv_line(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, value) = line.split_once('=').ok_or("expected NAME=value")?;
    let name = name.trim_end();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err("expected a variable's name before `=`");
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some('\'') => value[1..].split_once('\'').ok_or("the quote is not closed")?.0.to_owned(),
        Some('"') => {
            let mut out = String::new();
            let mut chars = value[1..].chars();
            loop {
                match chars.next().ok_or("the quote is not closed")? {
                    '"' => break out,
                    '\\' => match chars.next().ok_or("the quote is not closed")? {
                        'n' => out.push('\n'),
                        't' => out.push('\t'),
                        other => out.push(other),
                    },
                    other => out.push(other),
                }
            }
        }
        _ => value.split_once(" #").map_or(value, |(value, _)| value).trim_end().to_owned(),
    };
    Ok(Some((name.to_owned(), value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_fills_what_is_not_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        fs::write(&path, "# keys\nA=1\nexport B = 'two # 2'\nC=\"a\\\"b\\n\"\nD=four # 4\n\n").unwrap();
        let env = Env::of([("A", "mine")]).with_dotenv(&path).unwrap();
        assert_eq!(env.get("A"), Some("mine"));
        assert_eq!(env.get("B"), Some("two # 2"));
        assert_eq!(env.get("C"), Some("a\"b\n"));
        assert_eq!(env.get("D"), Some("four"));
        fs::write(&path, "A=1\nnonsense\n").unwrap();
        let error = Env::default().with_dotenv(&path).unwrap_err().to_string();
        assert!(error.ends_with(".env:2: expected NAME=value"), "{error}");
    }

    #[test]
    fn proxies_prefer_small_letters_and_hide_passwords() {
        let env =
            Env::of([("HTTPS_PROXY", "http://u:hunter2@p:1"), ("https_proxy", "http://q:2"), ("NO_PROXY", "a,b")]);
        assert_eq!(env.proxies().https.as_deref(), Some("http://q:2"));
        assert_eq!(env.proxies().none.as_deref(), Some("a,b"));
        assert!(
            !format!("{env:?} {:?}", Env::of([("http_proxy", "http://u:hunter2@p:1")]).proxies()).contains("hunter2")
        );
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let env = Env::of([("A", ""), ("B", "maybe"), ("C", "On")]);
        assert_eq!(env.get("A"), None);
        assert!(env.flag("B").unwrap_err().contains("variable B"));
        assert_eq!(env.flag("C"), Ok(Some(true)));
    }
}
