//! Why a transport could not be made, or its credentials not be replaced.

use std::error::Error as StdError;
use std::fmt;

use crate::region::UnknownRegion;

/// Why [`HttpTransport`](crate::HttpTransport) could not be made, or its credentials not be replaced, and what to
/// do about it.
///
/// It never holds a secret: no part of a token, an API key or a base URL with credentials is repeated.
///
/// `Debug` gives the sentence too, because it is what a `main` that fails prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An environment variable that is needed is not set, or empty.
    #[error("the environment variable `{name}` is not set; set it to {meaning}")]
    MissingVariable {
        /// The variable.
        name: &'static str,
        /// What belongs into it.
        meaning: &'static str,
    },
    /// An environment variable is set to something that is not text.
    #[error("the environment variable `{name}` is not valid Unicode; set it again")]
    NotUnicode {
        /// The variable.
        name: &'static str,
    },
    /// The access token, app id or API key is blank.
    #[error("the {which} is blank; copy it from Intercom's developer hub")]
    BlankCredential {
        /// Which one: `access token`, `app id` or `API key`.
        which: &'static str,
    },
    /// The access token, app id or API key has a character that it cannot have.
    #[error("the {which} has {character}, which it cannot have; {advice}")]
    InvalidCredential {
        /// Which one: `access token`, `app id` or `API key`.
        which: &'static str,
        /// What kind of character: `a line break`, for example.
        character: &'static str,
        /// What to do about it.
        advice: &'static str,
    },
    /// The access token, app id or API key is a word that a script leaves where it has no value.
    #[error("the {which} is the word `{word}`, which stands where a value is missing; set it")]
    PlaceholderCredential {
        /// Which one: `access token`, `app id` or `API key`.
        which: &'static str,
        /// The word: `null`, for example.
        word: &'static str,
    },
    /// Intercom has no such region.
    #[error(transparent)]
    UnknownRegion(#[from] UnknownRegion),
    /// The base URL cannot be read as one.
    #[error("the base URL cannot be read; write it as in `https://api.intercom.io`")]
    BaseUrlUnreadable(#[source] Box<dyn StdError + Send + Sync>),
    /// The base URL is not one of `http` or `https`.
    #[error("the base URL is not of HTTP; let it begin with `https://`")]
    BaseUrlScheme,
    /// The base URL has a user name or a password.
    #[error(
        "the base URL has a user name or password in it; leave them out, and give credentials to the builder"
    )]
    BaseUrlUserInfo,
    /// The base URL has a query or a fragment.
    #[error("the base URL has a query or fragment; leave out what follows the `?` or `#`")]
    BaseUrlQuery,
    /// The base URL ends in one of the names that are appended to it.
    #[error("the base URL ends in `/{endpoint}`, which is appended to it; leave that out")]
    BaseUrlEndpoint {
        /// What it ends in: `events`, `contacts` or `me`.
        endpoint: &'static str,
    },
    /// The base URL would show the credentials to the whole network on their way to Intercom.
    #[error(
        "plain http to `{host}` would show the credentials to the network; let the base URL begin with `https://`"
    )]
    PlainHttp {
        /// The host in question, which is one of Intercom's.
        host: String,
    },
    /// A text cannot be sent as a header.
    #[error("the {which} cannot be sent as a header; use visible ASCII characters only")]
    InvalidHeader {
        /// Which one: `API version` or `user agent`.
        which: &'static str,
    },
    /// A timeout is zero, so that every request would fail.
    #[error("the {which} is zero, so that every request would fail; give it some seconds")]
    ZeroTimeout {
        /// Which one: `timeout` or `connect timeout`.
        which: &'static str,
    },
    /// Nothing can do TLS: neither of this crate's features `ring` and `aws-lc-rs` is enabled, and the process has no
    /// default provider.
    #[error(
        "there is no TLS provider; enable the feature `ring` or `aws-lc-rs` of `intercom-http`, or install a provider of rustls with `CryptoProvider::install_default` first"
    )]
    NoTlsProvider,
    /// The HTTP client could not be set up. The source says why.
    #[error(
        "the HTTP client could not be set up; check that CA certificates are installed (the package `ca-certificates`, or `SSL_CERT_FILE`), or give a client of your own"
    )]
    Client(#[source] Box<dyn StdError + Send + Sync>),
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        intercom_core::write_with_sources(f, self)
    }
}
