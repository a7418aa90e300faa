//! Options of a sandbox, set before it starts.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;

use crate::answer_budget::AnswerBudget;
use crate::api::refuse_tls;
use crate::apps::{Apps, Credentials};
use crate::body_budget::BodyBudget;
use crate::clock::{Clock, SystemClock};
use crate::contacts::{self, Directory, SeedContact};
use crate::duplicates::{self, Duplicates};
use crate::event_names::{self, EventNames};
use crate::events_lock::EventsLock;
use crate::faults::Faults;
use crate::journal::{Capacity, Journal, JournalPosition};
use crate::limits::Limits;
use crate::open_rules::OpenRules;
use crate::options::Options;
use crate::rate_limit;
use crate::reading::Reading;
use crate::received::ReceivedRequest;
use crate::region::Region;
use crate::request_id::RequestIds;
use crate::retention::Retention;
use crate::sandbox::Sandbox;
use crate::server::{RawResponses, serve};
use crate::site::Site;
use crate::state::{InvalidState, Lock, State, StateSaver};
use crate::summaries::Summaries;
use crate::workspace::Workspace;

/// Configures a sandbox: see [`Sandbox::builder`].
///
/// Related options form one value each: [`limits`](Self::limits), [`retention`](Self::retention)
/// and [`open_rules`](Self::open_rules).
#[must_use = "a builder does nothing until `start`"]
pub struct SandboxBuilder {
    address: SocketAddr,
    allowed_hosts: Vec<String>,
    state_file: Option<PathBuf>,
    access: Access,
    region: Region,
    contacts: Vec<SeedContact>,
    know_everybody: bool,
    contacts_settle_after: Duration,
    rates: Rates,
    active_event_names: usize,
    time: Time,
    seed: Option<u64>,
    limits: Limits,
    retention: Retention,
    open_rules: OpenRules,
    events_lock: Option<EventsLock>,
}

/// The accepted credentials.
struct Access {
    token: String,
    app_id: String,
    api_key: String,
    other_tokens: Vec<String>,
}

/// The allowed requests in a window.
#[derive(Clone, Copy)]
struct Rates {
    app: Option<u32>,
    /// As the caller set it.
    workspace: Option<u32>,
}

impl Rates {
    /// Returns the limit of all apps together, with its default.
    fn workspace(self) -> Option<u32> {
        self.workspace.or_else(|| Some(rate_limit::DEFAULT_WORKSPACE_LIMIT.max(self.app?)))
    }
}

/// The source of the sandbox's time.
struct Time {
    clock: Box<dyn Clock>,
    is_the_machines: bool,
}

impl Sandbox {
    /// Starts a sandbox on a free port of the loopback address, with the defaults of
    /// [`SandboxBuilder`]. It knows no contact, so it answers events with `404` until you add one.
    ///
    /// # Errors
    ///
    /// Fails when the sandbox cannot listen.
    ///
    /// # Panics
    ///
    /// Panics as [`SandboxBuilder::start`] does.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Returns a builder with the default options.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }
}

impl SandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            allowed_hosts: Vec::new(),
            state_file: None,
            access: Access {
                token: "sandbox-token".to_owned(),
                app_id: "sandbox-app".to_owned(),
                api_key: "sandbox-key".to_owned(),
                other_tokens: Vec::new(),
            },
            region: Region::default(),
            contacts: Vec::new(),
            know_everybody: false,
            contacts_settle_after: Duration::ZERO,
            rates: Rates { app: Some(rate_limit::DEFAULT_LIMIT), workspace: None },
            active_event_names: event_names::DEFAULT_LIMIT,
            time: Time { clock: Box::new(SystemClock), is_the_machines: true },
            seed: None,
            limits: Limits::default(),
            retention: Retention::default(),
            open_rules: OpenRules::default(),
            events_lock: None,
        }
    }

    /// Sets the port; 0 picks any free port. Default: 0.
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Sets the address to listen on. Default: `127.0.0.1`.
    ///
    /// On an address beyond loopback, any machine that has the token can use the API. The page and
    /// the admin API need no token. They refuse a request whose `Host` header is neither loopback
    /// nor [allowed](Self::allow_host), but a client can forge that header. So use such an address
    /// only in a network that you trust.
    pub fn listen(mut self, address: impl Into<IpAddr>) -> Self {
        self.address.set_ip(address.into());
        self
    }

    /// Allows this name or address in the `Host` header of requests for the page and the admin API;
    /// call it once for each. Default: only `localhost` and loopback addresses, so that no web page
    /// of another site can use them through a browser.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.allowed_hosts.push(name.into());
        self
    }

    /// Keeps contacts, event names, events and requests in a file, from which the next sandbox
    /// continues. Default: no file.
    ///
    /// The sandbox reads the file at the start. It writes the file at the start, at
    /// [shutdown](Sandbox::shutdown), and at most three seconds after a change.
    ///
    /// After a restart, request numbers and counts include only the requests in the file. The file
    /// has no rate-limit windows, faults or options. The sandbox also locks a second file, whose
    /// name has `.lock` at its end, so that no other sandbox uses the state file.
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Sets the accepted access token. Default: `sandbox-token`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.access.token = token.into();
        self
    }

    /// Sets the app id, which HTTP Basic accepts and `GET /me` returns. Default: `sandbox-app`.
    pub fn app_id(mut self, app_id: impl Into<String>) -> Self {
        self.access.app_id = app_id.into();
        self
    }

    /// Sets the API key that HTTP Basic accepts. Default: `sandbox-key`.
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.access.api_key = api_key.into();
        self
    }

    /// Adds an app with this access token to the workspace; call it once for each. The app has its
    /// own rate limit, [as high](Self::rate_limit) as that of the first app. All apps share the
    /// [workspace's](Self::workspace_rate_limit) limit. Default: one app.
    pub fn another_app(mut self, token: impl Into<String>) -> Self {
        self.access.other_tokens.push(token.into());
        self
    }

    /// Sets the region that `GET /me` returns. Default: [`Region::Us`].
    pub fn region(mut self, region: Region) -> Self {
        self.region = region;
        self
    }

    /// Adds a contact; call it once for each. Default: none, so every event gets `404`, as in a new
    /// Intercom workspace.
    pub fn contact(mut self, contact: SeedContact) -> Self {
        self.contacts.push(contact);
        self
    }

    /// Accepts events for any contact, archived ones too. An email that several contacts share
    /// stays a conflict. Default: `false`.
    pub fn know_everybody(mut self, know_everybody: bool) -> Self {
        self.know_everybody = know_everybody;
        self
    }

    /// Sets how long after `POST /contacts` events of the new contact get `404`, by the sandbox's
    /// [clock](Self::clock). Default: zero.
    ///
    /// Intercom's servers do not all know a new contact at once. Users report such refusals, and no
    /// page documents their duration. Reads and searches find the contact at once. So do events
    /// with [`know_everybody`](Self::know_everybody).
    pub fn contacts_settle_after(mut self, duration: Duration) -> Self {
        self.contacts_settle_after = duration;
        self
    }

    /// Sets how many event names the workspace can have. An event with a further name gets `422`.
    /// The sandbox never frees a name. Default: 120, which is Intercom's limit.
    pub fn active_event_names(mut self, names: usize) -> Self {
        self.active_event_names = names;
        self
    }

    /// Sets how many requests an app may send in a window of ten seconds. The window is Intercom's.
    /// The number differs between apps, and between Intercom's pages. With 0 every request gets
    /// `429`; [`no_rate_limit`](Self::no_rate_limit) removes the limit. Default: 1,666, which is
    /// 10,000 a minute.
    pub fn rate_limit(mut self, requests: u32) -> Self {
        self.rates.app = Some(requests);
        self
    }

    /// Sets how many requests all apps together may send in a window of ten seconds. A request over
    /// this limit gets `429`, and does not count in the app's own budget, which the headers show.
    /// Default: 4,166, which is 25,000 a minute, or the [app's limit](Self::rate_limit) if
    /// that is higher.
    pub fn workspace_rate_limit(mut self, requests: u32) -> Self {
        self.rates.workspace = Some(requests);
        self
    }

    /// Removes the rate limits, and the three headers that show them. Default:
    /// [limited](Self::rate_limit).
    pub fn no_rate_limit(mut self) -> Self {
        self.rates = Rates { app: None, workspace: None };
        self
    }

    /// Sets the clock for everything but delays and timeouts: rate-limit windows, timed faults, the
    /// `Date` header, and the times of requests and contacts. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = Time { clock: Box::new(clock), is_the_machines: false };
        self
    }

    /// Sets the seed that decides to which requests a [percentage](crate::Fault::percent) fault
    /// applies. With one seed, each run selects the same requests. Default: a new seed each time,
    /// which [`Sandbox::seed`] returns.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the limits on clients. Default: those of [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how much the sandbox remembers. Default: that of [`Retention`].
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the lock of a program's events. Default: no lock.
    ///
    /// An event that differs from the lock gets a [warning](ReceivedRequest::warnings), and the
    /// usual answer. [`Sandbox::never_sent`] returns the names that did not arrive. The page, the
    /// admin API and the program's output mask the values of sensitive keys.
    pub fn events_lock(mut self, lock: EventsLock) -> Self {
        self.events_lock = Some(lock);
        self
    }

    /// Sets the rules that Intercom leaves open. Default: those of [`OpenRules`].
    pub fn open_rules(mut self, rules: OpenRules) -> Self {
        self.open_rules = rules;
        self
    }

    /// Sets only [`OpenRules::deduplicate`]. With `false`, a test can send one event repeatedly.
    pub fn deduplicate(mut self, deduplicate: bool) -> Self {
        self.open_rules = self.open_rules.deduplicate(deduplicate);
        self
    }

    /// Starts the sandbox on the current tokio runtime.
    ///
    /// # Errors
    /// If the sandbox cannot listen, most often because another process has the port. If it cannot
    /// read or write the state file, or another sandbox uses that file.
    ///
    /// # Panics
    /// Outside a tokio runtime, or if the runtime's I/O driver is off. The runtime's time driver
    /// must be on too: without it, the server ends.
    pub async fn start(self) -> Result<Sandbox, StartError> {
        let address = self.address;
        let cannot_listen = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortTaken { port: address.port() },
            _ => StartError::Listen { address, source },
        };
        let lock = self.state_file.as_deref().map(Lock::take).transpose()?;
        let kept = self.state_file.as_deref().map(State::read).transpose()?;
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let url = url_of(listener.local_addr().map_err(cannot_listen)?);

        let limits = self.limits;
        let state_file = self.state_file.clone();
        let workspace = Arc::new(self.into_workspace(url, kept.flatten()));
        let began_at = JournalPosition::end_of(&workspace.journal.counts());
        let of_tls = Arc::clone(&workspace);
        let raw = Arc::new(RawResponses::new(
            Arc::clone(&workspace.request_ids),
            Box::new(move |id| refuse_tls(&of_tls, id)),
        ));
        let closing = Arc::clone(&workspace.closing);
        let site = Arc::new(Site::new(Arc::clone(&workspace)));
        let server = tokio::spawn(serve(listener, site, raw, closing, limits));
        let saver = lock.map(|lock| StateSaver::start(lock, Arc::clone(&workspace)));
        if let (Some(saver), Some(path)) = (&saver, state_file) {
            // Writes at once, so that a wrong path fails the start and not the first save.
            let written = saver.write().await;
            written.map_err(|source| StartError::WriteState { path, source })?;
        }
        Ok(Sandbox::new(workspace, server, saver, began_at))
    }

    fn into_workspace(self, url: String, kept: Option<State>) -> Workspace {
        let options = self.options();
        let Self { access, retention, limits, time: Time { clock, is_the_machines }, .. } = self;
        let rules = Arc::new(Reading { rules: self.open_rules, lock: self.events_lock });
        let settings =
            contacts::Settings::new(self.know_everybody, self.contacts_settle_after, &limits);
        let directory = Directory::new(settings, Arc::clone(&rules), &access.app_id);
        let now = clock.now();
        if let Some(kept) = &kept {
            directory.restore(&kept.contacts);
        }
        for contact in self.contacts {
            directory.add(contact, now);
        }
        let room = |requests| Capacity { requests, bytes: retention.keep_bytes };
        let workspace = Workspace {
            url,
            allowed_hosts: self.allowed_hosts,
            region: self.region,
            apps: Apps::new(
                Credentials::new(access.token, access.app_id, access.api_key),
                access.other_tokens,
                self.rates.app,
                self.rates.workspace(),
            ),
            limits,
            rules,
            clock,
            dates_by_clock: !is_the_machines,
            contacts: directory,
            event_names: EventNames::new(self.active_event_names),
            duplicates: Duplicates::new(options.deduplicate_among),
            options,
            summaries: Summaries::default(),
            request_ids: Arc::new(RequestIds::new()),
            faults: Faults::new(self.seed.unwrap_or_else(|| RandomState::new().hash_one(0))),
            journal: Journal::new(room(retention.keep_requests), room(retention.keep_events)),
            body_budget: BodyBudget::new(limits.max_incoming_bytes),
            answer_budget: AnswerBudget::default(),
            closing: Arc::default(),
        };
        if let Some(kept) = kept {
            kept.replay(&workspace);
        }
        workspace
    }

    fn options(&self) -> Options {
        let smallest = ReceivedRequest::SMALLEST;
        Options {
            region: self.region,
            apps: 1 + self.access.other_tokens.len(),
            know_everybody: self.know_everybody,
            contacts_settle_after: self.contacts_settle_after,
            rate_limit: self.rates.app,
            workspace_rate_limit: self.rates.workspace(),
            active_event_names: self.active_event_names,
            deduplicate_among: self
                .retention
                .effective_deduplicate_among(duplicates::DEFAULT_CAPACITY, smallest),
            limits: self.limits,
            retention: self.retention,
            open_rules: self.open_rules.clone(),
        }
    }
}

/// Returns the URL of a listening sandbox as seen from this machine.
fn url_of(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// Why a sandbox did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program listens on the port.
    #[error("another program listens on port {port}")]
    PortTaken {
        /// The requested port.
        port: u16,
    },
    /// Reading the state file failed.
    #[error("cannot read the state in {}", path.display())]
    ReadState {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Writing the state file failed.
    #[error("cannot write the state to {}", path.display())]
    WriteState {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another sandbox uses the state file, and each would overwrite the other's contents.
    #[error(
        "another sandbox uses the state file {}: name another file, or stop that sandbox",
        path.display()
    )]
    StateInUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a state file, or has another version.
    #[error(
        "{} is not a state file of this version: name another file, or move this one away",
        path.display()
    )]
    InvalidState {
        /// The file.
        path: PathBuf,
        /// The parse error.
        source: serde_json::Error,
    },
    /// The sandbox cannot listen on the address, and the reason is not a taken port.
    #[error("cannot listen on {address}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
}

impl From<InvalidState> for StartError {
    fn from(error: InvalidState) -> Self {
        match error {
            InvalidState::Read { path, source } => Self::ReadState { path, source },
            InvalidState::Lock { path, source } => Self::WriteState { path, source },
            InvalidState::InUse { path } => Self::StateInUse { path },
            InvalidState::Parse { path, source } => Self::InvalidState { path, source },
        }
    }
}
