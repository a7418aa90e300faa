//! Everything that can be settled before a sandbox starts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;

use crate::answer::Script;
use crate::api;
use crate::clock::{Clock, SystemClock, unix_seconds};
use crate::contacts::{Directory, SeedContact};
use crate::event_names::{self, EventNames};
use crate::headers::Credentials;
use crate::journal::Journal;
use crate::rate_limit::{self, RateLimit};
use crate::request_id::RequestIds;
use crate::sandbox::Sandbox;
use crate::server::serve;
use crate::workspace::{Settings, Workspace};

/// The most permissive of the documented limits of keys.
const DEFAULT_METADATA_KEYS: usize = 20;

/// Settles how a sandbox behaves: see [`Sandbox::builder`].
#[must_use = "a builder does nothing until it is started"]
pub struct SandboxBuilder {
    port: u16,
    token: String,
    app_id: String,
    api_key: String,
    contacts: Vec<SeedContact>,
    know_everybody: bool,
    active_event_names: usize,
    rate_limit: Option<u32>,
    clock: Box<dyn Clock>,
    keep_requests: usize,
    keep_events: usize,
    settings: Settings,
}

impl SandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            port: 0,
            token: "sandbox-token".to_owned(),
            app_id: "sandbox-app".to_owned(),
            api_key: "sandbox-key".to_owned(),
            contacts: Vec::new(),
            know_everybody: false,
            active_event_names: event_names::DEFAULT_LIMIT,
            rate_limit: Some(rate_limit::DEFAULT_LIMIT),
            clock: Box::new(SystemClock),
            keep_requests: 10_000,
            keep_events: 100_000,
            settings: Settings {
                region: "US".to_owned(),
                body_limit: 1 << 20,
                metadata_keys: DEFAULT_METADATA_KEYS,
                ambiguous_contact_is_400: false,
            },
        }
    }

    /// The port on the loopback address; 0 stands for any that is free. Default: 0.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The access token that is accepted. Default: `sandbox-token`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = token.into();
        self
    }

    /// The app id that is accepted over HTTP Basic, and that `GET /me` tells. Default:
    /// `sandbox-app`.
    pub fn app_id(mut self, app_id: impl Into<String>) -> Self {
        self.app_id = app_id.into();
        self
    }

    /// The API key that is accepted over HTTP Basic. Default: `sandbox-key`.
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.api_key = api_key.into();
        self
    }

    /// The region that `GET /me` tells. Default: `US`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.settings.region = region.into();
        self
    }

    /// A contact that is known from the start; call it once for each. Default: none, so that every
    /// event is answered with `404`, as in a new workspace at Intercom.
    pub fn contact(mut self, contact: SeedContact) -> Self {
        self.contacts.push(contact);
        self
    }

    /// Whether an event is accepted for any contact, archived ones too. Several contacts with one
    /// email stay a conflict. Default: `false`.
    pub fn know_everybody(mut self, know_everybody: bool) -> Self {
        self.know_everybody = know_everybody;
        self
    }

    /// Whether an event whose email several users share is answered with `400` in the place of
    /// `409`; sources about Intercom tell both, with the code `conflict`. Default: `false`.
    pub fn ambiguous_contact_is_400(mut self, is_400: bool) -> Self {
        self.settings.ambiguous_contact_is_400 = is_400;
        self
    }

    /// How many metadata keys of an event are kept. Those beyond it are dropped in silence, in the
    /// order sent: that is Intercom's rule, and its pages tell 10 and 20. Default: 20.
    pub fn metadata_keys(mut self, keys: usize) -> Self {
        self.settings.metadata_keys = keys;
        self
    }

    /// How many event names can be active, a limit of Intercom's. Default: 120.
    pub fn active_event_names(mut self, names: usize) -> Self {
        self.active_event_names = names;
        self
    }

    /// How many requests are allowed in a window of ten seconds. The window is Intercom's; the
    /// number differs from app to app. Default: 1,666, which is 10,000 a minute.
    pub fn rate_limit(mut self, requests: u32) -> Self {
        self.rate_limit = Some(requests);
        self
    }

    /// Takes the rate limit away, and with it the three headers that tell how it stands. Default:
    /// there is [one](Self::rate_limit).
    pub fn no_rate_limit(mut self) -> Self {
        self.rate_limit = None;
        self
    }

    /// Where the sandbox has its time from. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The size of the largest body that is accepted, in bytes. Intercom answers `413` beyond a size
    /// that it does not tell. Default: 1 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// How many requests are remembered; the oldest leave, and stay in the count. Default: 10,000.
    pub fn keep_requests(mut self, requests: usize) -> Self {
        self.keep_requests = requests;
        self
    }

    /// How many accepted events are remembered; the oldest leave, and stay in the count. Default:
    /// 100,000.
    pub fn keep_events(mut self, events: usize) -> Self {
        self.keep_events = events;
        self
    }

    /// Starts the sandbox on the current tokio runtime, whose I/O must be enabled.
    ///
    /// # Errors
    /// If it cannot listen: most often because the port is taken.
    pub async fn start(self) -> Result<Sandbox, StartError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let cannot_listen = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortTaken { port: self.port },
            _ => StartError::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;

        let now = unix_seconds(self.clock.now());
        let contacts = Directory::new(self.know_everybody);
        for contact in self.contacts {
            contacts.add(contact, now);
        }
        let workspace = Arc::new(Workspace {
            credentials: Credentials::new(self.token, self.app_id, self.api_key),
            settings: self.settings,
            clock: self.clock,
            contacts,
            event_names: EventNames::new(self.active_event_names),
            rate_limit: RateLimit::new(self.rate_limit),
            request_ids: RequestIds::new(),
            script: Script::default(),
            journal: Journal::new(self.keep_requests, self.keep_events),
        });
        let router = api::router(Arc::clone(&workspace));
        let server = tokio::spawn(serve(listener, router));
        Ok(Sandbox::new(address, workspace, server))
    }
}

/// Why a sandbox did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program listens on the port.
    #[error("port {port} is taken by another program")]
    PortTaken {
        /// The port that was asked for.
        port: u16,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}
