//! Everything that can be settled before a sandbox starts.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;

use crate::admin::{Options, Unread};
use crate::api::Incoming;
use crate::apps::{Apps, Credentials};
use crate::clock::{Clock, SystemClock};
use crate::closing::Closing;
use crate::contacts::{self, Directory, SeedContact};
use crate::duplicates::{self, Duplicates};
use crate::event_names::{self, EventNames};
use crate::faults::Faults;
use crate::journal::Journal;
use crate::open_rules::OpenRules;
use crate::rate_limit;
use crate::region::Region;
use crate::request::ReceivedRequest;
use crate::request_id::RequestIds;
use crate::ring::Room;
use crate::sandbox::Sandbox;
use crate::server::{Limits, Site, serve};
use crate::summaries::Summaries;
use crate::workspace::{Settings, Workspace};

/// Settles how a sandbox behaves: see [`Sandbox::builder`].
#[must_use = "a builder does nothing until it is started"]
pub struct SandboxBuilder {
    port: u16,
    token: String,
    app_id: String,
    api_key: String,
    pub(crate) contacts: Vec<SeedContact>,
    pub(crate) contact_settings: contacts::Settings,
    pub(crate) active_event_names: usize,
    pub(crate) other_tokens: Vec<String>,
    pub(crate) rate_limit: Option<u32>,
    workspace_rate_limit: Option<u32>,
    clock: Box<dyn Clock>,
    deduplicate_among: Option<usize>,
    pub(crate) keep_requests: usize,
    pub(crate) keep_events: usize,
    pub(crate) keep_bytes: usize,
    seed: Option<u64>,
    pub(crate) limits: Limits,
    pub(crate) incoming_bytes: usize,
    pub(crate) settings: Settings,
    pub(crate) rules: OpenRules,
}

impl SandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            port: 0,
            token: "sandbox-token".to_owned(),
            app_id: "sandbox-app".to_owned(),
            api_key: "sandbox-key".to_owned(),
            contacts: Vec::new(),
            contact_settings: contacts::Settings::default(),
            active_event_names: event_names::DEFAULT_LIMIT,
            other_tokens: Vec::new(),
            rate_limit: Some(rate_limit::DEFAULT_LIMIT),
            workspace_rate_limit: None,
            clock: Box::new(SystemClock),
            deduplicate_among: None,
            keep_requests: 10_000,
            keep_events: 10_000,
            keep_bytes: 128 << 20,
            seed: None,
            limits: Limits { connections: 4096, idle: Duration::from_secs(60) },
            incoming_bytes: 256 << 20,
            settings: Settings {
                region: Region::default(),
                body_limit: 1 << 20,
                body_timeout: Duration::from_secs(30),
                dates_by_clock: false,
                ambiguous_contact_is_400: false,
            },
            rules: OpenRules::default(),
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

    /// The access token of one more app in the workspace, with a rate limit of its own; call it once
    /// for each. Its limit is as [high](Self::rate_limit) as that of the first app, and it shares the
    /// [workspace's](Self::workspace_rate_limit). Default: there is one app.
    pub fn another_app(mut self, token: impl Into<String>) -> Self {
        self.other_tokens.push(token.into());
        self
    }

    /// The region that `GET /me` tells. Default: [`Region::Us`].
    pub fn region(mut self, region: Region) -> Self {
        self.settings.region = region;
        self
    }

    /// How many event names can be active, a limit of Intercom's. Default: 120.
    pub fn active_event_names(mut self, names: usize) -> Self {
        self.active_event_names = names;
        self
    }

    /// How many requests an app is allowed in a window of ten seconds. The window is Intercom's; the
    /// number differs from app to app, and from one of its pages to the other. With 0 every request is
    /// answered with `429`; for no limit there is [`no_rate_limit`](Self::no_rate_limit). Default:
    /// 1,666, which is 10,000 a minute.
    pub fn rate_limit(mut self, requests: u32) -> Self {
        self.rate_limit = Some(requests);
        self
    }

    /// How many requests all apps together are allowed in a window of ten seconds. Beyond it the
    /// answer is `429` though the app's own budget, which the headers tell, is not spent. Default:
    /// 4,166, which is 25,000 a minute, or the limit of an [app](Self::rate_limit) where that is
    /// higher.
    pub fn workspace_rate_limit(mut self, requests: u32) -> Self {
        self.workspace_rate_limit = Some(requests);
        self
    }

    /// Takes the rate limits away, and with them the three headers that tell how they stand.
    /// Default: there [is](Self::rate_limit) one.
    pub fn no_rate_limit(mut self) -> Self {
        self.rate_limit = None;
        self.workspace_rate_limit = None;
        self
    }

    /// Where the sandbox has its time from: its windows, and the `Date` of its answers. Default:
    /// [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self.settings.dates_by_clock = true;
        self
    }

    /// What decides which requests a fault of so many percent strikes, so that a run can be repeated.
    /// Default: another one every time, which [`Sandbox::seed`] tells.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many requests are remembered; the oldest leave, and stay in the count. Default: 10,000.
    pub fn keep_requests(mut self, requests: usize) -> Self {
        self.keep_requests = requests;
        self
    }

    /// How many accepted events are remembered; the oldest leave, and stay in the count. Default:
    /// 10,000.
    pub fn keep_events(mut self, events: usize) -> Self {
        self.keep_events = events;
        self
    }

    /// How many bytes the remembered requests may take in all, and the remembered events again as
    /// many; the oldest leave, and stay in the count. Default: 128 MiB.
    pub fn keep_bytes(mut self, bytes: usize) -> Self {
        self.keep_bytes = bytes;
        self
    }

    /// Among how many of the last kept events a duplicate is found; some that are older are found too,
    /// up to twice as many. Default: 25,000, or as many as are [kept](Self::keep_events) where those are
    /// more: of an event that is kept the double is always found.
    pub fn deduplicate_among(mut self, events: usize) -> Self {
        self.deduplicate_among = Some(events);
        self
    }

    pub(crate) fn effective_deduplicate_among(&self) -> usize {
        // Of events without number as many are kept as have room.
        let kept = self.keep_events.min(self.keep_bytes / ReceivedRequest::SMALLEST);
        self.deduplicate_among.unwrap_or(duplicates::DEFAULT_HALF.max(kept))
    }

    /// The limit of all apps together, where nobody set one too.
    pub(crate) fn effective_workspace_rate_limit(&self) -> Option<u32> {
        self.workspace_rate_limit.or_else(|| {
            let of_app = self.rate_limit?;
            Some(rate_limit::DEFAULT_WORKSPACE_LIMIT.max(of_app))
        })
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

        let options = Options::of(&self);
        let duplicates = Duplicates::new(self.effective_deduplicate_among());
        let workspace_rate_limit = self.effective_workspace_rate_limit();
        let now = self.clock.now();
        let contacts = Directory::new(self.contact_settings, &self.app_id);
        for contact in self.contacts {
            contacts.add(contact, now);
        }
        let apps = Apps::new(
            Credentials::new(self.token, self.app_id, self.api_key),
            self.other_tokens,
            self.rate_limit,
            workspace_rate_limit,
        );
        let workspace = Arc::new(Workspace {
            url: format!("http://{address}"),
            apps,
            settings: self.settings,
            options,
            rules: Arc::new(self.rules),
            clock: self.clock,
            contacts,
            event_names: EventNames::new(self.active_event_names),
            duplicates,
            summaries: Summaries::default(),
            request_ids: RequestIds::new(),
            faults: Faults::new(self.seed.unwrap_or_else(|| RandomState::new().hash_one(0))),
            journal: Journal::new(
                Room { requests: self.keep_requests, bytes: self.keep_bytes },
                Room { requests: self.keep_events, bytes: self.keep_bytes },
            ),
            incoming: Incoming::new(self.incoming_bytes),
            unread: Unread::default(),
            closing: Closing::default(),
        });
        let site = Arc::new(Site::new(Arc::clone(&workspace)));
        let server = tokio::spawn(serve(listener, site, self.limits));
        Ok(Sandbox::new(workspace, server))
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
