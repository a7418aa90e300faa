//! The transport: sends one event a request, and reads events back.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method};
use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, Receipt, SendError, Transport, async_trait,
};
use reqwest::{Client, Request, Response, Url};
use tokio::time::{Instant, timeout_at};

use crate::answer::{Asked, Head};
use crate::body::{self, End, MAX_BODY_BYTES, MAX_PAGE_BYTES};
use crate::builder::HttpTransportBuilder;
use crate::contacts;
use crate::credentials::Credentials;
use crate::endpoint::Endpoints;
use crate::error::BuildError;
use crate::error_list::ErrorList;
use crate::failure::Way;
use crate::headers::Headers;
use crate::rate::Rate;
use crate::reading::{self, EventSummary, PastEvents, ReadError};
use crate::redact::Redactor;
use crate::region::Region;
use crate::secret::Secret;
use crate::workspace::Workspace;

/// The longest timeout, 30 years, so that adding it to an `Instant` cannot overflow.
const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Sends each event to Intercom in one HTTPS request, and returns the outcome.
///
/// Sending neither retries nor waits. Reading back does both. Clones share the connections and the
/// credentials. The transport needs a Tokio runtime with I/O and time, as `#[tokio::main]` builds
/// it. DNS look-ups cannot be cancelled, so a name server that hangs delays the runtime's shutdown.
/// To avoid that wait, end the process with `std::process::exit`, or the runtime with
/// `Runtime::shutdown_background`.
///
/// `Debug` shows the address, never the credentials.
#[derive(Clone)]
pub struct HttpTransport {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) endpoints: Endpoints,
    /// The hosts at which a request without a response may have failed.
    pub(crate) way: Way,
    /// The headers of every request, until the credentials change.
    pub(crate) headers: Headers,
    /// The rate limit that sending and reading share.
    pub(crate) rate: Rate,
    pub(crate) timeout: Duration,
    pub(crate) region: Option<Region>,
    pub(crate) api_version: String,
}

impl HttpTransport {
    pub(crate) fn from_inner(inner: Inner) -> Self {
        HttpTransport { inner: Arc::new(inner) }
    }

    /// Builds a transport from the environment variables:
    ///
    /// | variable | what it is | |
    /// |---|---|---|
    /// | `INTERCOM_ACCESS_TOKEN` | the access token of your app | required |
    /// | `INTERCOM_REGION` | `us`, `eu` or `au` | default `us` |
    /// | `INTERCOM_BASE_URL` | the address of a sandbox or proxy | optional |
    ///
    /// An empty variable counts as unset.
    ///
    /// # Errors
    ///
    /// Fails when the access token is missing, or when a variable is invalid. Fails as
    /// [`HttpTransportBuilder::build`] does.
    pub fn from_env() -> Result<Self, BuildError> {
        HttpTransportBuilder::from_env()?.build()
    }

    /// Returns a builder with this access token.
    pub fn builder(token: impl Into<String>) -> HttpTransportBuilder {
        HttpTransportBuilder::with_token(token)
    }

    /// Returns a builder with an app id and an API key, for HTTP Basic, Intercom's old scheme.
    pub fn basic_auth(
        app_id: impl Into<String>,
        api_key: impl Into<String>,
    ) -> HttpTransportBuilder {
        HttpTransportBuilder::with_basic_auth(app_id, api_key)
    }

    /// Replaces the credentials of all clones with this access token, whatever they were.
    ///
    /// Later requests carry the new token. Requests in flight keep the old token, and may still get
    /// a 401. The call does not check the token with Intercom: [`verify`](Self::verify) does.
    ///
    /// With a `Delivery` of `intercom-delivery`, then call `Delivery::resume`: it sends held events
    /// at once. Without that call, the delivery tries one event again within five minutes.
    ///
    /// ```
    /// # fn main() -> Result<(), intercom_http::BuildError> {
    /// use intercom_http::HttpTransport;
    ///
    /// let transport = HttpTransport::builder("tok_1").build()?;
    /// let operator = transport.clone();
    /// // The transport is handed to a delivery. Later, the operator has a new token:
    /// operator.replace_token("tok_2")?;
    /// // Then `delivery.resume()` sends what was held back.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`HttpTransportBuilder::build`] does when the token is blank or cannot be sent. The
    /// old credentials then stay.
    pub fn replace_token(&self, token: impl Into<String>) -> Result<(), BuildError> {
        self.replace(Credentials::Token(Secret::new(token)))
    }

    /// Replaces the credentials of all clones with this app id and API key, whatever they were.
    ///
    /// With a `Delivery` of `intercom-delivery`, then call `Delivery::resume`: it sends held events
    /// at once. Without that call, the delivery tries one event again within five minutes.
    ///
    /// ```
    /// # fn main() -> Result<(), intercom_http::BuildError> {
    /// use intercom_http::HttpTransport;
    ///
    /// let transport = HttpTransport::basic_auth("app_1", "key_1").build()?;
    /// transport.replace_basic_auth("app_1", "key_2")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`HttpTransportBuilder::build`] does when a part is blank or cannot be sent. The
    /// old credentials then stay.
    pub fn replace_basic_auth(
        &self,
        app_id: impl Into<String>,
        api_key: impl Into<String>,
    ) -> Result<(), BuildError> {
        self.replace(Credentials::Basic {
            app_id: Secret::new(app_id),
            api_key: Secret::new(api_key),
        })
    }

    fn replace(&self, credentials: Credentials) -> Result<(), BuildError> {
        self.inner.headers.replace_authorization(credentials.authorization()?);
        Ok(())
    }

    /// Tries the credentials, and returns their workspace. Sends no event.
    ///
    /// Call it at startup to find a wrong token before the first event. Exit if the error's
    /// [`needs_operator`](SendError::needs_operator) returns `true`. Go on after any other error,
    /// because a service must start while Intercom is down. A `Delivery` of `intercom-delivery`
    /// holds its events until Intercom is back.
    ///
    /// ```no_run
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let transport = intercom_http::HttpTransport::from_env()?;
    /// match transport.verify().await {
    ///     Ok(workspace) => println!("sending to {}", workspace.name.as_deref().unwrap_or("Intercom")),
    ///     Err(error) if error.needs_operator() => return Err(error.into()),
    ///     Err(error) => eprintln!("starting without Intercom: {error}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as sending does. The kind is [`ErrorKind::Unauthorized`] for a 401, and
    /// [`ErrorKind::UnexpectedAnswer`] when the response is not Intercom's.
    pub async fn verify(&self) -> Result<Workspace, SendError> {
        let inner = &*self.inner;
        let asked_with = inner.headers.current();
        let deadline = inner.deadline();
        let mut response =
            inner.ask(&asked_with, Method::GET, &inner.endpoints.me, None, deadline).await?;
        let received = SystemTime::now();
        let body = body::read(&mut response, MAX_BODY_BYTES, deadline).await;
        let head = head(&response, received);
        if head.status.is_success()
            && let Some(workspace) = Workspace::parse(&body.bytes, response.headers())
        {
            return Ok(workspace);
        }
        let list = ErrorList::parse(&body.bytes);
        Err(head.refusal(Asked::Workspace, &Redactor::new(&asked_with), &body, list.as_ref()))
    }

    /// Reads a contact's events, newest first, as a `Stream` that requests pages on demand.
    ///
    /// Intercom lists the events of the last 90 days, with a delay of some seconds. The request has
    /// one identifier: the contact id, else the user id, else the email address.
    ///
    /// Reading shares Intercom's rate limit with sending. When only a tenth of a window's requests
    /// is left, a read waits for the next window. It makes up to five attempts for a page, if
    /// the errors are [retryable](SendError::is_retryable).
    ///
    /// The stream gives an error when the contact is invalid or unknown, or when a request fails. It
    /// also gives one for an unreadable page or event. See [`ReadError`].
    ///
    /// ```no_run
    /// use std::time::{Duration, SystemTime};
    /// use intercom_core::Contact;
    ///
    /// # async fn show(transport: intercom_http::HttpTransport) -> Result<(), Box<dyn std::error::Error>> {
    /// let week = SystemTime::now() - Duration::from_secs(7 * 86_400);
    /// let mut events = transport.events(&Contact::user_id(42)).per_page(50).since(week);
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         Ok(event) => println!("{} {:?}", event.name(), event.metadata()),
    ///         Err(error) if error.is_bad_event() => eprintln!("{error}"),
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self, contact: &Contact) -> PastEvents {
        PastEvents::new(Arc::clone(&self.inner), contact.clone())
    }

    /// Reads how often each event happened to a contact. It waits as [`events`](Self::events) does.
    ///
    /// # Errors
    ///
    /// Fails before any I/O when the contact is invalid. Fails with [`ReadError::UnknownContact`]
    /// when Intercom does not know the contact. Fails when the request fails five times, or
    /// once with an error that is not retryable. Fails when the response is unreadable.
    pub async fn summaries(&self, contact: &Contact) -> Result<Vec<EventSummary>, ReadError> {
        reading::summaries(&self.inner, contact).await
    }

    /// Submits how often events happened to a contact before this program sent events. Intercom
    /// requires a user id.
    ///
    /// Intercom does not document how a summary changes existing counts, nor what a repetition
    /// does. So the transport retries only after a 429, when Intercom took nothing. An empty list
    /// sends nothing.
    ///
    /// # Errors
    ///
    /// Fails before any I/O when the contact is invalid or has no user id. The same holds for a
    /// summary with an invalid event name, a count of 0, a time in milliseconds or times in the
    /// wrong order. Fails with [`ReadError::UnknownContact`] when Intercom does not know the
    /// contact. Fails when five requests got a 429, or when one failed otherwise.
    pub async fn submit_summaries(
        &self,
        contact: &Contact,
        summaries: &[EventSummary],
    ) -> Result<(), ReadError> {
        reading::submit_summaries(&self.inner, contact, summaries).await
    }

    async fn post(&self, event: &DataEvent) -> Result<Receipt, SendError> {
        let inner = &*self.inner;
        let (asked_with, url) = (inner.headers.current(), &inner.endpoints.events);
        let body = event.body().clone().into();
        let deadline = inner.deadline();
        let mut response = inner.ask(&asked_with, Method::POST, url, Some(body), deadline).await?;
        let received = SystemTime::now();
        let answer = head(&response, received);
        let body = if answer.is_acceptance() {
            let receipt = answer.receipt();
            let body = body::glance(&mut response).await;
            if !head(&response, received).is_denied_by(&body.bytes) {
                return Ok(receipt);
            }
            body
        } else {
            body::read(&mut response, MAX_BODY_BYTES, deadline).await
        };
        let list = ErrorList::parse(&body.bytes);
        let head = head(&response, received);
        let redactor = Redactor::new(&asked_with).with_event(event);
        Err(head.refusal(Asked::Event, &redactor, &body, list.as_ref()))
    }
}

impl Inner {
    /// Sends a request about a contact, and returns the body of the response.
    pub(crate) async fn converse(
        &self,
        method: Method,
        url: &Url,
        body: Option<String>,
        contact: &Contact,
    ) -> Result<Vec<u8>, SendError> {
        let asked_with = self.headers.current();
        let deadline = self.deadline();
        let sent = body.map(Into::into);
        let mut response = self.ask(&asked_with, method, url, sent, deadline).await?;
        let received = SystemTime::now();
        let body = body::read(&mut response, MAX_PAGE_BYTES, deadline).await;
        let head = head(&response, received);
        if head.is_acceptance() && body.end == End::Complete && !head.is_denied_by(&body.bytes) {
            self.rate.learn(head.rate_limit(), None);
            return Ok(body.bytes);
        }
        let list = ErrorList::parse(&body.bytes);
        let redactor = Redactor::new(&asked_with).with_contact(contact);
        let error = head.refusal(Asked::History, &redactor, &body, list.as_ref());
        self.rate.learn(error.rate_limit(), error.retry_after());
        Err(error)
    }

    /// Sends one request and waits for the head of its response.
    async fn ask(
        &self,
        headers: &HeaderMap,
        method: Method,
        url: &Url,
        body: Option<reqwest::Body>,
        deadline: Instant,
    ) -> Result<Response, SendError> {
        // Without a runtime the client would panic.
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(SendError::new(ErrorKind::Unsupported)
                .with_detail("no Tokio runtime runs here; send from within one"));
        }
        let mut request = Request::new(method, url.clone());
        *request.headers_mut() = headers.clone();
        *request.body_mut() = body;
        // A timeout by the client or the request would allocate four times, and this one does not
        // allocate.
        let Inner { way, timeout, .. } = self;
        let response = match timeout_at(deadline, self.client.execute(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(way.failure(error, *timeout)),
            Err(elapsed) => return Err(way.timed_out(*timeout).with_source(elapsed)),
        };
        if response.url() != url {
            // A redirect may have turned the `POST` into a `GET` without a body.
            return Err(SendError::new(ErrorKind::UnexpectedAnswer).with_detail(
                "a redirect to another address was followed, and the event is not known to have \
                 arrived; give the base URL of that address, or a client that follows no redirects",
            ));
        }
        Ok(response)
    }

    /// Returns the deadline of a request that begins now.
    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout.min(MAX_TIMEOUT)
    }
}

impl HttpTransport {
    /// Records the destination in the span of a request, if the span has the fields.
    fn name_server(&self, span: &tracing::Span) {
        if !span.is_disabled() {
            let url = &self.inner.endpoints.events;
            span.record("server.address", url.host_str());
            span.record("server.port", url.port_or_known_default());
        }
    }
}

#[async_trait]
impl Transport for HttpTransport {
    // An `async fn` would hold the event twice. This future is almost 1 KiB. Above that, a box
    // costs three times as much in glibc's allocator.
    fn send<'a>(
        self: Arc<Self>,
        event: DataEvent,
    ) -> Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send + 'a>>
    where
        Self: 'a,
    {
        Box::pin(async move {
            self.name_server(&tracing::Span::current());
            let sent = self.post(&event).await;
            // The caller logs the outcome. This line is for debugging single requests.
            let (status, request_id) = match &sent {
                Ok(receipt) => (receipt.status(), receipt.request_id()),
                Err(error) => (error.status(), error.request_id()),
            };
            let (rate_limit, wait) = match &sent {
                Ok(receipt) => (receipt.rate_limit(), None),
                Err(error) => (error.rate_limit(), error.retry_after()),
            };
            self.inner.rate.learn(rate_limit, wait);
            let name = event.event_name().as_str();
            tracing::trace!(event.name = name, status, request_id, "request to Intercom ended");
            sent
        })
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        let inner = &*self.inner;
        let (asked_with, url) = (inner.headers.current(), &inner.endpoints.contacts);
        let body = contacts::body(contact)?.into();
        let deadline = inner.deadline();
        let mut response = inner.ask(&asked_with, Method::POST, url, Some(body), deadline).await?;
        let received = SystemTime::now();
        let body = body::read(&mut response, MAX_BODY_BYTES, deadline).await;
        let head = head(&response, received);
        if head.status.is_success() {
            return Ok(ContactCreation::Created);
        }
        let list = ErrorList::parse(&body.bytes);
        match contacts::already_there(head.status.as_u16(), list.as_ref()) {
            Some(creation) => Ok(creation),
            None => {
                let redactor = Redactor::new(&asked_with).with_contact(contact);
                Err(head.refusal(Asked::Contact, &redactor, &body, list.as_ref()))
            }
        }
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { endpoints, timeout, region, api_version, .. } = &*self.inner;
        f.debug_struct("HttpTransport")
            .field("base_url", &endpoints.base.as_str())
            .field("region", region)
            .field("api_version", api_version)
            .field("timeout", timeout)
            .finish_non_exhaustive()
    }
}

fn head(response: &Response, received: SystemTime) -> Head<'_> {
    Head { status: response.status(), headers: response.headers(), received }
}
