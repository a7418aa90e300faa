//! Errors of setting a transport up, or of replacing its credentials.

use std::error::Error as StdError;
use std::fmt;

use crate::region::UnknownRegion;

/// The reason that building an [`HttpTransport`](crate::HttpTransport) failed, or replacing its
/// credentials.
///
/// The error never holds a secret: it repeats no part of a token, an API key or a base URL with
/// credentials.
///
/// `Debug` shows the sentence too, because a `main` that returns this error prints its `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A required environment variable is unset or empty.
    #[error("the environment variable `{name}` is not set; set it to {meaning}")]
    MissingVariable {
        /// The variable.
        name: &'static str,
        /// What to set it to.
        meaning: &'static str,
    },
    /// An environment variable is not valid text.
    #[error("the environment variable `{name}` is not valid Unicode; set it again")]
    NotUnicode {
        /// The variable.
        name: &'static str,
    },
    /// The access token, app id or API key is blank.
    #[error("the {which} is blank; copy it from Intercom's developer hub")]
    BlankCredential {
        /// Its name: `access token`, `app id` or `API key`.
        which: &'static str,
    },
    /// The access token, app id or API key has a forbidden character.
    #[error("the {which} has {character}; {advice}")]
    InvalidCredential {
        /// Its name: `access token`, `app id` or `API key`.
        which: &'static str,
        /// The kind of character: `a line break`, for example.
        character: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The access token, app id or API key is a word that scripts print for a missing value.
    #[error("the {which} is the word `{word}` instead of a value; set it")]
    PlaceholderCredential {
        /// Its name: `access token`, `app id` or `API key`.
        which: &'static str,
        /// The word: `null`, for example.
        word: &'static str,
    },
    /// Intercom has no such region.
    #[error(transparent)]
    UnknownRegion(#[from] UnknownRegion),
    /// The base URL is not a URL.
    #[error("the base URL cannot be read; write it as in `https://api.intercom.io`")]
    BaseUrlUnreadable(#[source] Box<dyn StdError + Send + Sync>),
    /// The base URL is neither `http` nor `https`.
    #[error("the base URL must start with `https://`, as in `https://api.intercom.io`")]
    BaseUrlScheme,
    /// The base URL has a user name or a password.
    #[error(
        "the base URL has a user name or password in it; \
         leave them out, and give credentials to the builder"
    )]
    BaseUrlUserInfo,
    /// The base URL has a query or a fragment.
    #[error("the base URL has a query or fragment; leave out what follows the `?` or `#`")]
    BaseUrlQuery,
    /// The base URL ends in an endpoint, which the transport appends.
    #[error("the base URL ends in `/{endpoint}`; remove that, because the transport appends it")]
    BaseUrlEndpoint {
        /// The endpoint: `events`, `contacts` or `me`.
        endpoint: &'static str,
    },
    /// The base URL would expose the credentials to the network on their way to Intercom.
    #[error(
        "plain http to `{host}` would show the credentials to the network; \
         let the base URL begin with `https://`"
    )]
    PlainHttp {
        /// The host, which is Intercom's.
        host: String,
    },
    /// A text is blank, or cannot be sent as a header.
    #[error("the {which} cannot be sent as a header; use visible ASCII characters only")]
    InvalidHeader {
        /// Its name: `API version` or `user agent`.
        which: &'static str,
    },
    /// A timeout is zero, so that every request would fail.
    #[error("the {which} is zero, so that every request would fail; give it some seconds")]
    ZeroTimeout {
        /// Its name: `timeout` or `connect timeout`.
        which: &'static str,
    },
    /// No TLS provider: neither of this crate's features `ring` and `aws-lc-rs` is enabled, and the
    /// process has no default provider.
    #[error(
        "there is no TLS provider; enable the feature `ring` or `aws-lc-rs` of `intercom-http`, \
         or install a provider of rustls with `CryptoProvider::install_default` first"
    )]
    NoTlsProvider,
    /// The HTTP client failed to build. The source says why.
    #[error(
        "the HTTP client could not be set up; check that CA certificates are installed (the \
         package `ca-certificates`, or `SSL_CERT_FILE`), or give a client of your own"
    )]
    Client(#[source] Box<dyn StdError + Send + Sync>),
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        intercom_core::write_with_sources(f, self)
    }
}
