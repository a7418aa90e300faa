//! Sets a transport up, and finds every setup mistake before the first event.

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

/// The default version of Intercom's API.
///
/// Without a version, a setting of the app in Intercom's developer hub would decide.
pub(crate) const DEFAULT_API_VERSION: &str = "2.16";

/// The default limit of a request's whole duration.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The default limit of connecting.
pub(crate) const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const DEFAULT_USER_AGENT: &str = concat!("intercom-rust/", env!("CARGO_PKG_VERSION"));
const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The interval of pings on a busy HTTP/2 connection. All events may share it, and the system can
/// take minutes to notice that it is dead.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Builds an [`HttpTransport`]. [`HttpTransport::builder`] returns it.
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
    pub(crate) fn with_token(token: impl Into<String>) -> Self {
        Self::with_credentials(Credentials::Token(Secret::new(token)))
    }

    pub(crate) fn with_basic_auth(app_id: impl Into<String>, api_key: impl Into<String>) -> Self {
        Self::with_credentials(Credentials::Basic {
            app_id: Secret::new(app_id),
            api_key: Secret::new(api_key),
        })
    }

    fn with_credentials(credentials: Credentials) -> Self {
        HttpTransportBuilder {
            credentials,
            region: Region::default(),
            base_url: None,
            api_version: DEFAULT_API_VERSION.to_owned(),
            user_agent: DEFAULT_USER_AGENT.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            client: None,
        }
    }

    /// Creates a builder from the environment variables. See [`HttpTransport::from_env`].
    ///
    /// # Errors
    ///
    /// Fails when `INTERCOM_ACCESS_TOKEN` is missing, `INTERCOM_REGION` is unknown, or a variable
    /// is not text.
    pub fn from_env() -> Result<Self, BuildError> {
        env::builder(|name| std::env::var_os(name))
    }

    /// Sets the region where Intercom stores the workspace's data. The default is [`Region::Us`].
    pub fn region(mut self, region: Region) -> Self {
        self.region = region;
        self
    }

    /// Sets the address of a sandbox, or of a proxy in front of Intercom. It may have a path. Plain
    /// `http` is refused for Intercom's own hosts. The default is the address of the region.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }

    /// Sets the version of Intercom's API. The default is `2.16`.
    pub fn api_version(mut self, api_version: impl Into<String>) -> Self {
        self.api_version = api_version.into();
        self
    }

    /// Sets the client's name in the header `User-Agent`. The default is `intercom-rust/` and this
    /// crate's version.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Limits a request, from connecting to the last byte of the response. The limit also holds
    /// with your own client. `build` refuses zero. The default is 30 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Limits connecting. The limit does not hold with your own client. `build` refuses zero. The
    /// default is 10 seconds.
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// Sends with your own client: for a proxy, a certificate, or a pool that other requests share.
    ///
    /// Disable redirects (`redirect::Policy::none()`). A client that follows them may send the
    /// event to another host. When the response comes from another address than the request's,
    /// sending fails: the event may be lost. The transport cannot notice a redirect that leads back
    /// to the same address.
    ///
    /// The default is a client with rustls, HTTP/2 where the server offers it, the system's
    /// proxies, and no redirects.
    ///
    /// reqwest panics when it builds a client without a TLS provider. Add reqwest with its default
    /// features to your dependencies, or [install a provider](crate#tls) before you build the
    /// client.
    #[cfg(feature = "reqwest")]
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Builds the transport. This sends nothing: [`HttpTransport::verify`] tries the credentials.
    ///
    /// # Errors
    ///
    /// Fails when a credential is blank or cannot be sent. Fails when the base URL is invalid, or
    /// would expose the credentials to the network. Fails when the API version or the user agent is
    /// blank or cannot be a header, or when a timeout is zero. Fails when the machine cannot do
    /// TLS: it has no CA certificates, for example, or no [TLS provider](crate#tls).
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
        // A refused base URL may hold a password.
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
