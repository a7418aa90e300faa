//! Setting a transport up: everything that can be wrong is found here, before the first event.

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, redirect};

use crate::credentials::Credentials;
use crate::endpoint::Endpoints;
use crate::env;
use crate::error::BuildError;
use crate::failure::Way;
use crate::headers::Headers;
use crate::rate::Rate;
use crate::region::Region;
use crate::secret::Secret;
use crate::tls;
use crate::transport::{HttpTransport, Inner};

/// The version of Intercom's API that requests ask for, unless told otherwise.
///
/// Without one, a setting of the app in Intercom's developer hub would decide.
pub(crate) const DEFAULT_API_VERSION: &str = "2.16";

/// How long a request may take as a whole, unless told otherwise.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long making a connection may take, unless told otherwise.
pub(crate) const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const DEFAULT_USER_AGENT: &str = concat!("intercom-rust/", env!("CARGO_PKG_VERSION"));
const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How often a busy HTTP/2 connection is asked whether it still lives. All events may share one, and
/// the system can take minutes to find out that it is dead.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Sets up an [`HttpTransport`]. Made by [`HttpTransport::builder`].
///
/// `Debug` shows the settings, never the credentials.
#[must_use = "a builder does nothing until `build` is called"]
pub struct HttpTransportBuilder {
    credentials: Credentials,
    region: Region,
    base_url: Option<String>,
    api_version: String,
    user_agent: String,
    timeout: Duration,
    connect_timeout: Duration,
    client: Option<Client>,
}

impl HttpTransportBuilder {
    pub(crate) fn new(token: impl Into<String>) -> Self {
        HttpTransportBuilder {
            credentials: Credentials::Token(Secret::new(token)),
            region: Region::default(),
            base_url: None,
            api_version: DEFAULT_API_VERSION.to_owned(),
            user_agent: DEFAULT_USER_AGENT.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            client: None,
        }
    }

    /// What the environment variables say, to be set up further. See [`HttpTransport::from_env`].
    ///
    /// # Errors
    ///
    /// Fails when `INTERCOM_ACCESS_TOKEN` is missing, `INTERCOM_REGION` is unknown, or a variable is
    /// not text.
    pub fn from_env() -> Result<Self, BuildError> {
        env::builder(|name| std::env::var_os(name))
    }

    /// Sends with an app id and an API key, by HTTP Basic: Intercom's old scheme. They take the place
    /// of the access token, which is then not looked at. The default is the access token.
    pub fn basic_auth(mut self, app_id: impl Into<String>, api_key: impl Into<String>) -> Self {
        self.credentials =
            Credentials::Basic { app_id: Secret::new(app_id), api_key: Secret::new(api_key) };
        self
    }

    /// The region Intercom keeps the workspace's data in. The default is [`Region::Us`].
    pub fn region(mut self, region: Region) -> Self {
        self.region = region;
        self
    }

    /// Another address than that of the region: of a sandbox, or of a proxy that speaks to Intercom.
    /// It may have a path. Plain `http` is for those alone, and refused for Intercom's own hosts. The
    /// default is the address of the region.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }

    /// The version of Intercom's API to ask for. The default is `2.16`.
    pub fn api_version(mut self, api_version: impl Into<String>) -> Self {
        self.api_version = api_version.into();
        self
    }

    /// The name of the client, in the header `User-Agent`. The default is `intercom-rust/` and the
    /// version of this crate.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// How long a request may take, from connecting to the last byte of the answer. It also counts for
    /// a client of your own. The default is 30 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long making a connection may take. It does not count for a client of your own. The default
    /// is 10 seconds.
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// Sends with a client of your own: for a proxy, a certificate, or a pool shared with other
    /// requests.
    ///
    /// Let it follow no redirects (`redirect::Policy::none()`). A client that follows them may repeat
    /// the event to another host. An answer from another address than that of the request is always an
    /// error, because the event is lost there; a redirect back to the very same address cannot be told
    /// apart from an answer. The default is a client with rustls, HTTP/2 where it is offered, the
    /// system's proxies, and no redirects.
    ///
    /// reqwest panics where it makes a client without a TLS provider. Add reqwest with its default features to your own
    /// dependencies, or [install a provider](crate#tls) before you make the client.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Makes the transport. Nothing is sent; [`HttpTransport::verify`] tries the credentials.
    ///
    /// # Errors
    ///
    /// Fails when a credential is blank or cannot be sent, when the base URL is none or would show the
    /// credentials to the network, when another setting cannot work, and when the machine cannot
    /// do TLS: it has no CA certificates, for example, or there is no [TLS provider](crate#tls).
    pub fn build(self) -> Result<HttpTransport, BuildError> {
        let authorization = self.credentials.authorization()?;
        let region = self.base_url.is_none().then_some(self.region);
        let endpoints =
            Endpoints::new(self.base_url.as_deref().unwrap_or_else(|| self.region.base_url()))?;
        let api_version = header("API version", &self.api_version)?;
        let user_agent = header("user agent", &self.user_agent)?;
        for (which, timeout) in
            [("timeout", self.timeout), ("connect timeout", self.connect_timeout)]
        {
            if timeout.is_zero() {
                return Err(BuildError::ZeroTimeout { which });
            }
        }

        let mut headers = HeaderMap::with_capacity(5);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(ACCEPT, JSON);
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(INTERCOM_VERSION, api_version);
        headers.insert(USER_AGENT, user_agent.clone());

        let (client, way) = match self.client {
            Some(client) => (client, Way::unknown(&endpoints.base)),
            None => {
                let client = Client::builder()
                    .tls_backend_preconfigured(tls::config(endpoints.base.scheme() == "http")?)
                    .user_agent(user_agent)
                    .redirect(redirect::Policy::none())
                    .referer(false)
                    .connect_timeout(self.connect_timeout)
                    .tcp_nodelay(true)
                    .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
                    .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
                    .build()
                    .map_err(|error| BuildError::Client(error.into()))?;
                (client, Way::by_system(&endpoints.base))
            }
        };
        Ok(HttpTransport::from_inner(Inner {
            client,
            endpoints,
            way,
            headers: Headers::new(headers),
            rate: Rate::default(),
            timeout: self.timeout,
            region,
            api_version: self.api_version,
        }))
    }
}

impl fmt::Debug for HttpTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A base URL that is refused may hold a password.
        let base_url = self.base_url.as_deref().map(|text| match Endpoints::new(text) {
            Ok(endpoints) => endpoints.base.to_string(),
            Err(_) => "[refused]".to_owned(),
        });
        f.debug_struct("HttpTransportBuilder")
            .field("credentials", &self.credentials)
            .field("region", &self.region)
            .field("base_url", &base_url)
            .field("api_version", &self.api_version)
            .field("user_agent", &self.user_agent)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("own_client", &self.client.is_some())
            .finish()
    }
}

fn header(which: &'static str, text: &str) -> Result<HeaderValue, BuildError> {
    let visible = |c: char| c.is_ascii_graphic() || c == ' ';
    match HeaderValue::from_str(text) {
        Ok(header) if text.chars().all(visible) && !text.trim().is_empty() => Ok(header),
        _ => Err(BuildError::InvalidHeader { which }),
    }
}
