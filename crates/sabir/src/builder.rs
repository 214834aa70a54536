//! How a client of something at an address is made.
//!
//! Invariant: a value that cannot be used is reported when the client is built, by its name and
//! without repeating it.

use std::{fmt, sync::Arc, time::Duration};

use sabir_types::Value;

use crate::{
    client::Sabir,
    environment::{Environment, Proxies},
    error::{Error, Result},
    link::{
        Link, Transport,
        connect::Connector,
        http::{HttpLink, Sender, base, gateway},
    },
    retry::Pace,
    settings::{Auth, Key, KeyProvider, Options, Settings, Target, Timeouts, header},
};

/// Where OpenAI is.
const OPENAI: &str = "https://api.openai.com/v1";
/// Where a gateway is, unless told otherwise.
const GATEWAY: &str = "http://127.0.0.1:3000";

/// Makes a client of a gateway, or of a service that speaks OpenAI's protocol, at an address.
#[derive(Clone)]
pub struct HttpBuilder {
    url: String,
    roots: Vec<u8>,
    settings: Settings,
    proxies: Proxying,
    transport: Option<Arc<dyn Transport>>,
    problem: Option<String>,
}

#[derive(Clone)]
enum Proxying {
    Environment,
    These(Proxies),
}

/// Makes a client of Azure's OpenAI service.
#[derive(Clone)]
pub struct AzureBuilder {
    http: HttpBuilder,
    version: Option<String>,
}

impl Sabir {
    /// A client of the gateway at this address, like `http://127.0.0.1:3000`. A path that ends in
    /// `/v1`, as OpenAI's clients want it, is understood as well.
    pub fn http(url: impl Into<String>) -> HttpBuilder {
        HttpBuilder::new(url.into(), Target::Gateway)
    }

    /// A client of the gateway that the environment names: `SABIR_URL`
    /// (`http://127.0.0.1:3000` if it is not set) and `SABIR_API_KEY`.
    pub fn from_env() -> HttpBuilder {
        Self::from_environment(&Environment::process())
    }

    /// The same, of these variables.
    pub fn from_environment(environment: &Environment) -> HttpBuilder {
        let builder = Self::http(environment.get("SABIR_URL").unwrap_or(GATEWAY));
        match environment.get("SABIR_API_KEY") {
            Some(key) => builder.key(key),
            None => builder,
        }
    }

    /// A client of a service that speaks OpenAI's protocol, without a gateway: the address is the
    /// one that OpenAI's clients are given, like `https://api.openai.com/v1`.
    pub fn openai_compatible(url: impl Into<String>, key: &str) -> HttpBuilder {
        HttpBuilder::new(url.into(), Target::Compatible).key(key)
    }

    /// A client of OpenAI, or of what the environment names in its place: `OPENAI_API_KEY`,
    /// `OPENAI_BASE_URL`, `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`, `OPENAI_ADMIN_KEY`,
    /// `OPENAI_WEBHOOK_SECRET`, and `OPENAI_CUSTOM_HEADERS` with a `Name: value` in each line.
    pub fn openai() -> HttpBuilder {
        Self::openai_from(&Environment::process())
    }

    /// The same, of these variables.
    pub fn openai_from(environment: &Environment) -> HttpBuilder {
        let url = environment.get("OPENAI_BASE_URL").unwrap_or(OPENAI);
        let mut builder = HttpBuilder::new(url.to_owned(), Target::Compatible);
        match environment.get("OPENAI_API_KEY") {
            Some(key) => builder = builder.key(key),
            None if environment.get("OPENAI_ADMIN_KEY").is_none() => {
                builder.problem = Some("no key: `OPENAI_API_KEY` is not set".to_owned());
            }
            None => {}
        }
        if let Some(key) = environment.get("OPENAI_ADMIN_KEY") {
            builder = builder.admin_key(key);
        }
        if let Some(secret) = environment.get("OPENAI_WEBHOOK_SECRET") {
            builder = builder.webhook_secret(secret);
        }
        let named = [("openai-organization", "OPENAI_ORG_ID"), ("openai-project", "OPENAI_PROJECT_ID")];
        for (header, variable) in named {
            if let Some(value) = environment.get(variable) {
                builder = builder.header(header, value);
            }
        }
        for line in environment.get("OPENAI_CUSTOM_HEADERS").unwrap_or_default().lines() {
            match line.split_once(':') {
                Some((name, value)) => builder = builder.header(name.trim(), value.trim()),
                None if line.trim().is_empty() => {}
                None => {
                    let problem = "`OPENAI_CUSTOM_HEADERS`: expected `Name: value` in each line".to_owned();
                    builder.problem.get_or_insert(problem);
                }
            }
        }
        builder
    }

    /// A client of Azure's OpenAI service at this endpoint, like `https://NAME.openai.azure.com`.
    pub fn azure(endpoint: impl Into<String>) -> AzureBuilder {
        let endpoint: String = endpoint.into();
        let url = format!("{}/openai", endpoint.trim_end_matches('/'));
        let mut http = HttpBuilder::new(url, Target::Azure { deployment: None });
        http.settings.auth.is_api_key = true;
        AzureBuilder { http, version: None }
    }

    /// A client of the service that the environment names: `AZURE_OPENAI_ENDPOINT`,
    /// `OPENAI_API_VERSION`, and `AZURE_OPENAI_AD_TOKEN` or else `AZURE_OPENAI_API_KEY`.
    pub fn azure_from_env() -> AzureBuilder {
        Self::azure_from(&Environment::process())
    }

    /// The same, of these variables.
    pub fn azure_from(environment: &Environment) -> AzureBuilder {
        let endpoint = environment.get("AZURE_OPENAI_ENDPOINT");
        let mut builder = Self::azure(endpoint.unwrap_or_default());
        if endpoint.is_none() {
            builder.http.problem = Some("no endpoint: `AZURE_OPENAI_ENDPOINT` is not set".to_owned());
        }
        builder.version = environment.get("OPENAI_API_VERSION").map(str::to_owned);
        match (environment.get("AZURE_OPENAI_AD_TOKEN"), environment.get("AZURE_OPENAI_API_KEY")) {
            (Some(token), _) => builder.token(token),
            (None, Some(key)) => builder.key(key),
            (None, None) => builder,
        }
    }
}

impl HttpBuilder {
    fn new(url: String, target: Target) -> Self {
        let settings = Settings { target, ..Settings::default() };
        Self { url, roots: Vec::new(), settings, proxies: Proxying::Environment, transport: None, problem: None }
    }

    /// The key to send.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        // A key that cannot be sent is reported now and not with the first call.
        if let Err(problem) = header("authorization", &format!("Bearer {key}")) {
            self.problem.get_or_insert(problem);
        }
        self.settings.auth.key = Some(Key::fixed(key));
        self
    }

    /// What gives the key for each try of a call.
    #[must_use]
    pub fn key_provider(mut self, provider: impl KeyProvider + 'static) -> Self {
        self.settings.auth.key = Some(Key::Given(Arc::new(provider)));
        self
    }

    /// The key for what an organization's keeper may do: paths below `/organization` and `/projects`.
    #[must_use]
    pub fn admin_key(mut self, key: &str) -> Self {
        self.settings.auth.admin = Some(Key::fixed(key));
        self
    }

    /// The secret that webhooks are signed with.
    #[must_use]
    pub fn webhook_secret(mut self, secret: &str) -> Self {
        self.settings.webhook_secret = Some(secret.to_owned());
        self
    }

    /// A header to send with each request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match header(name, value) {
            Ok((name, value)) => drop(self.settings.headers.insert(name, value)),
            Err(problem) => drop(self.problem.get_or_insert(problem)),
        }
        self
    }

    /// A member of every request's query.
    #[must_use]
    pub fn query(self, name: &str, value: impl Into<Value>) -> Self {
        self.options(Options::new().query(name, value))
    }

    /// Other settings for every call.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        if let Err(error) = self.settings.apply(options) {
            self.problem.get_or_insert(error.to_string());
        }
        self
    }

    /// How long the gateway may say nothing, before an answer as well as within one. 10 minutes
    /// unless told otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.silence(timeout);
        self
    }

    /// How long each part of a call may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// How often a call is tried again after a connection that broke, a timeout, and the statuses
    /// 408, 409, 429 and 5xx. Twice unless told otherwise.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// How long the waits before another try are.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.settings.pace = pace;
        self
    }

    /// Certificates in PEM to trust beside the usual ones.
    #[must_use]
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.roots.extend_from_slice(pem);
        self.roots.push(b'\n');
        self
    }

    /// The proxy for all requests, like `http://name:password@proxy:3128`, whatever the environment
    /// says. Unless told otherwise, `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` count,
    /// and this very machine is always reached straight.
    #[must_use]
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxies = Proxying::These(Proxies { all: Some(url.into()), loopback: true, ..Proxies::default() });
        self
    }

    /// Hosts that are reached straight, beside [`proxy`](Self::proxy): names, addresses and
    /// networks with commas between them.
    #[must_use]
    pub fn no_proxy_for(mut self, hosts: impl Into<String>) -> Self {
        let proxies = match self.proxies {
            Proxying::These(proxies) => proxies,
            Proxying::Environment => Environment::process().proxies(),
        };
        self.proxies = Proxying::These(Proxies { none: Some(hosts.into()), ..proxies });
        self
    }

    /// No proxy, whatever the environment says.
    #[must_use]
    pub fn without_proxy(mut self) -> Self {
        self.proxies = Proxying::These(Proxies::default());
        self
    }

    /// The proxies that these variables name.
    #[must_use]
    pub fn proxies_from(mut self, environment: &Environment) -> Self {
        self.proxies = Proxying::These(environment.proxies());
        self
    }

    /// Sends the requests in another way than the client's own.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// The client. Nothing is sent yet.
    pub fn build(mut self) -> Result<Sabir> {
        if let Some(problem) = self.problem {
            return Err(Error::Config(problem));
        }
        let address = match self.settings.target {
            Target::Gateway => gateway(&self.url)?,
            Target::Compatible | Target::Azure { .. } => {
                let (address, query) = base(&self.url, "service")?;
                self.settings.query.splice(0..0, query);
                address
            }
        };
        let sender = match self.transport {
            Some(transport) => Sender::Other(transport),
            None => {
                let proxies = match self.proxies {
                    Proxying::These(proxies) => proxies,
                    Proxying::Environment => Environment::process().proxies(),
                };
                let connect = self.settings.timeouts.connect;
                Sender::own(Connector::new(&self.roots, proxies, connect)?, connect)
            }
        };
        Ok(Sabir::over(Link::Http(Box::new(HttpLink::new(address, sender))), self.settings))
    }
}

impl AzureBuilder {
    /// The version of the API, like `2024-10-21`. One has to be said.
    #[must_use]
    pub fn api_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The deployment that all calls go to. Without it, the model of a call is its deployment.
    #[must_use]
    pub fn deployment(mut self, name: impl Into<String>) -> Self {
        self.http.settings.target = Target::Azure { deployment: Some(name.into()) };
        self
    }

    /// The key of the resource.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.http = self.http.key(key);
        self.http.settings.auth.is_api_key = true;
        self
    }

    /// A token of Entra ID, in the place of a key.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.http = self.http.key(token);
        self.http.settings.auth.is_api_key = false;
        self
    }

    /// What gives a token of Entra ID for each try of a call.
    #[must_use]
    pub fn token_provider(mut self, provider: impl KeyProvider + 'static) -> Self {
        self.http = self.http.key_provider(provider);
        self.http.settings.auth.is_api_key = false;
        self
    }

    /// Everything else that a client can be told.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(HttpBuilder) -> HttpBuilder) -> Self {
        self.http = change(self.http);
        self
    }

    /// The client. Nothing is sent yet.
    pub fn build(self) -> Result<Sabir> {
        let Self { mut http, version } = self;
        if http.problem.is_none() && matches!(http.settings.auth, Auth { key: None, .. }) {
            http.problem = Some("no key and no token for Azure".to_owned());
        }
        match version {
            Some(version) => http.settings.query.push(("api-version".to_owned(), version)),
            None => drop(http.problem.get_or_insert_with(|| "no version of Azure's API was said".to_owned())),
        }
        http.build()
    }
}

impl fmt::Debug for HttpBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBuilder").finish_non_exhaustive()
    }
}

impl fmt::Debug for AzureBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureBuilder").finish_non_exhaustive()
    }
}
