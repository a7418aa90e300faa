//! Explains a request without a response: which host or proxy refused it, and why.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use intercom_core::{ErrorKind, SendError};
use reqwest::Url;
use rustls::CertificateError;

type Error = dyn StdError + 'static;

/// Texts of the client's errors, which have no public types.
const PROXY_WANTS_CREDENTIALS: &str = "tunnel error: proxy authorization required";
const PROXY_REFUSES: &str = "tunnel error: unsuccessful";
const NO_ADDRESS: &str = "dns error";

/// The route of requests.
pub(crate) struct Way {
    /// Host and port.
    pub(crate) host: String,
    /// Host and port of the system's proxy, if this crate's own client uses one.
    pub(crate) proxy: Option<String>,
}

impl Way {
    /// Returns the route of this crate's own client, which uses the system's proxies.
    pub(crate) fn by_system(url: &Url) -> Self {
        let uri: Option<Uri> = url.as_str().parse().ok();
        let proxy = uri.and_then(|uri| Matcher::from_system().intercept(&uri));
        let proxy = proxy.and_then(|proxy| {
            let authority = proxy.uri().authority()?.as_str();
            // Credentials may precede the host.
            authority.rsplit('@').next().map(str::to_owned)
        });
        Way { proxy, ..Way::unknown(url) }
    }

    /// Returns the route of the application's client, which may use any proxy.
    pub(crate) fn unknown(url: &Url) -> Self {
        Way { host: url.authority().to_owned(), proxy: None }
    }

    /// Returns the error of a request without a response in this time.
    pub(crate) fn timed_out(&self, timeout: Duration) -> SendError {
        let host = &self.host;
        let detail = format!("none within {timeout:?} from {host}{}", self.through());
        SendError::new(ErrorKind::Timeout).with_detail(detail)
    }

    /// Returns the error of a request without a response.
    pub(crate) fn failure(&self, error: reqwest::Error, timeout: Duration) -> SendError {
        let (kind, detail) = self.explain(&error, timeout);
        let failure = SendError::new(kind).with_detail(detail);
        // The address of a redirect may hold anything, and every error of the chain shows it.
        match kind {
            ErrorKind::UnexpectedAnswer => failure,
            _ => failure.with_source(Cause::of(error.without_url())),
        }
    }

    fn through(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!(" through the proxy {proxy}"),
            None => String::new(),
        }
    }

    fn explain(&self, error: &reqwest::Error, timeout: Duration) -> (ErrorKind, String) {
        let Way { host, .. } = self;
        if error.is_redirect() || error.is_decode() {
            return (
                ErrorKind::UnexpectedAnswer,
                "it is a redirect that cannot be followed".to_owned(),
            );
        }
        if error.is_builder() {
            return (
                ErrorKind::Unsupported,
                "the HTTP client does not take the request".to_owned(),
            );
        }
        let through = self.through();
        if error.is_timeout() {
            let detail = match error.is_connect() {
                true => format!("could not connect to {host}{through}"),
                false => format!("none within {timeout:?} from {host}{through}"),
            };
            return (ErrorKind::Timeout, detail);
        }
        if let Some(refusal) = certificate_error(error) {
            let why = explain_certificate(refusal);
            return (ErrorKind::Certificate, format!("that of {host}{through} {why}"));
        }
        let proxy = self.proxy.as_deref().unwrap_or("that the client has");
        if says(error, PROXY_WANTS_CREDENTIALS) {
            return (
                ErrorKind::Proxy,
                format!(
                    "the proxy {proxy} wants credentials (HTTP 407) before it connects to {host}; \
                     put them into its address, as in `http://user:password@proxy:3128`"
                ),
            );
        }
        if says(error, PROXY_REFUSES) {
            return (
                ErrorKind::Proxy,
                format!("the proxy {proxy} does not connect to {host}, by a 403 for example"),
            );
        }
        if says(error, NO_ADDRESS) {
            let name = match &self.proxy {
                Some(proxy) => format!("the proxy {proxy}"),
                None => host.clone(),
            };
            return (ErrorKind::Connection, format!("could not look up the address of {name}"));
        }
        match error.is_connect() {
            true => (ErrorKind::Connection, format!("could not connect to {host}{through}")),
            false => (ErrorKind::Connection, format!("{host} gave no whole answer{through}")),
        }
    }
}

fn explain_certificate(refusal: &CertificateError) -> &'static str {
    use CertificateError::*;
    match refusal {
        UnknownIssuer => {
            "is signed by an authority that this machine does not trust; install the authority's \
             certificate, or name its file in `SSL_CERT_FILE`"
        }
        NotValidForName | NotValidForNameContext { .. } => {
            "is another host's; check the base URL, the name server and any proxy"
        }
        Expired | ExpiredContext { .. } => "has expired by this machine's clock; check the clock",
        NotValidYet | NotValidYetContext { .. } => {
            "is not valid yet by this machine's clock; check the clock"
        }
        _ => "was refused",
    }
}

/// Returns the error and its sources.
fn chain(error: &Error) -> impl Iterator<Item = &Error> {
    std::iter::successors(Some(error), |&error| behind(error))
}

fn behind(error: &Error) -> Option<&Error> {
    // An I/O error repeats the message of its inner error, and its source skips that error.
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    within.map(|error| error as _).or_else(|| error.source())
}

fn certificate_error(error: &reqwest::Error) -> Option<&CertificateError> {
    chain(error).find_map(|error| match error.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(refusal) => Some(refusal),
        _ => None,
    })
}

fn says(error: &reqwest::Error, text: &str) -> bool {
    chain(error).any(|error| error.to_string() == text)
}

/// The part of a client error that says what happened, below the errors that say only that a send
/// failed.
struct Cause {
    error: reqwest::Error,
    /// The number of errors above the part.
    depth: usize,
}

impl Cause {
    fn of(error: reqwest::Error) -> Self {
        let sources = std::iter::successors(Some(&error as &Error), |&error| error.source());
        let says_nothing = |error: &&Error| {
            error.source().is_some()
                && (error.is::<reqwest::Error>() || error.is::<legacy::Error>())
        };
        let depth = sources.take_while(says_nothing).count();
        Cause { error, depth }
    }

    fn part(&self) -> &Error {
        let mut part: &Error = &self.error;
        for _ in 0..self.depth {
            part = part.source().unwrap_or(part);
        }
        part
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.part(), f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.part(), f)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&Error> {
        self.part().source()
    }
}
