//! A transport that follows a test's script and records its calls, and other helpers of the tests.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use intercom_core::{
    ApiError, Contact, ContactCreation, DataEvent, DynamicEvent, ErrorKind, RateLimit, Receipt,
    SendError, Timestamp, Transport, async_trait,
};
use intercom_delivery::conformance::{Forward, Forwarding};
use intercom_delivery::outbox::{AcceptError, Admission, Settlement, Standing, Turn};
use intercom_delivery::{Delivery, Epoch, EventId, Ledger, MemoryOutbox, Outbox, OutboxError};
use tokio::time::{Instant, sleep, timeout};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any flush in these tests.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// The transport's reaction to a call.
#[derive(Debug)]
pub(crate) enum Act<T> {
    /// Returns at once.
    End(Result<T, SendError>),
    /// Returns later.
    Late(Duration, Result<T, SendError>),
    Hang,
    /// Panics before it returns a future, or in the future if it must return one.
    PanicAtCall,
    PanicInPoll,
}

pub(crate) type Sent = Act<Receipt>;
pub(crate) type Created = Act<ContactCreation>;

impl Act<Receipt> {
    pub(crate) fn taken() -> Self {
        Act::End(Ok(Receipt::delivered(202)))
    }

    pub(crate) fn taken_after(time: Duration) -> Self {
        Act::Late(time, Ok(Receipt::delivered(202)))
    }
}

impl Act<ContactCreation> {
    pub(crate) fn created() -> Self {
        Act::End(Ok(ContactCreation::Created))
    }
}

impl<T> Act<T> {
    /// Fails as Intercom would with this status.
    pub(crate) fn status(status: u16) -> Self {
        Act::End(Err(answer(status)))
    }

    pub(crate) fn fails(kind: ErrorKind) -> Self {
        Act::End(Err(SendError::new(kind)))
    }
}

/// Returns the HTTP transport's error for this status.
pub(crate) fn answer(status: u16) -> SendError {
    let kind = match status {
        401 => ErrorKind::Unauthorized,
        402 | 403 => ErrorKind::Forbidden,
        404 => ErrorKind::UnknownContact,
        408 | 425 | 500.. => ErrorKind::Unavailable,
        409 => ErrorKind::AmbiguousContact,
        429 => ErrorKind::RateLimited,
        _ => ErrorKind::Rejected,
    };
    SendError::new(kind).with_status(status).with_request_id("req")
}

/// The response to an event whose name exceeds the limit.
pub(crate) fn name_limit() -> SendError {
    let message = "Cannot have more than 120 active event names";
    SendError::new(ErrorKind::EventNameLimit)
        .with_status(422)
        .with_api_errors(vec![ApiError::new("422").with_message(message)])
}

pub(crate) fn rate_limit(limit: u32, remaining: u32, resets_in: Duration) -> RateLimit {
    RateLimit::new().with_limit(limit).with_remaining(remaining).with_resets_in(resets_in)
}

/// A call of `send`.
pub(crate) struct Call<'a> {
    /// The number of earlier calls, of any event.
    pub(crate) number: usize,
    /// The number of earlier calls with the same bytes.
    pub(crate) before: usize,
    pub(crate) event: &'a DataEvent,
    /// The time of the call since the transport's creation.
    pub(crate) at: Duration,
}

/// A call of `create_contact`.
pub(crate) struct CreateCall<'a> {
    pub(crate) number: usize,
    /// The number of earlier calls for the same contact.
    pub(crate) before: usize,
    pub(crate) contact: &'a Contact,
    pub(crate) at: Duration,
}

/// An attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) event: DataEvent,
    /// Its time since the transport's creation.
    pub(crate) at: Duration,
}

/// The transport. Clones share all state.
#[derive(Clone)]
pub(crate) struct Scripted(Arc<Inner>);

type OnSend = Arc<dyn Fn(&Call<'_>) -> Sent + Send + Sync>;
type OnCreate = Arc<dyn Fn(&CreateCall<'_>) -> Created + Send + Sync>;

struct Inner {
    started: Instant,
    on_send: Mutex<OnSend>,
    on_create: Mutex<OnCreate>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    attempts: Vec<Attempt>,
    by_body: HashMap<Vec<u8>, usize>,
    creations: Vec<(Contact, Duration)>,
    taken: Vec<DataEvent>,
    running: usize,
    most_running: usize,
}

impl Scripted {
    /// Calls `on_send` for each event. Cannot create contacts before `creating`.
    pub(crate) fn new(on_send: impl Fn(&Call<'_>) -> Sent + Send + Sync + 'static) -> Self {
        Scripted(Arc::new(Inner {
            started: Instant::now(),
            on_send: Mutex::new(Arc::new(on_send)),
            on_create: Mutex::new(Arc::new(|_| Act::fails(ErrorKind::Unsupported))),
            log: Mutex::default(),
        }))
    }

    /// Accepts everything.
    pub(crate) fn taking() -> Self {
        Scripted::new(|_| Act::taken())
    }

    /// Answers the first calls with `acts`, and accepts everything afterwards.
    pub(crate) fn queue(acts: impl IntoIterator<Item = Sent>) -> Self {
        let acts = Mutex::new(acts.into_iter().collect::<std::collections::VecDeque<_>>());
        Scripted::new(move |_| lock(&acts).pop_front().unwrap_or_else(Act::taken))
    }

    /// Calls `on_create` for each creation of a contact.
    pub(crate) fn creating(
        self,
        on_create: impl Fn(&CreateCall<'_>) -> Created + Send + Sync + 'static,
    ) -> Self {
        *lock(&self.0.on_create) = Arc::new(on_create);
        self
    }

    /// Replaces the script for events.
    pub(crate) fn script(&self, on_send: impl Fn(&Call<'_>) -> Sent + Send + Sync + 'static) {
        *lock(&self.0.on_send) = Arc::new(on_send);
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.log().attempts.clone()
    }

    /// Returns the times of the attempts with this user id.
    pub(crate) fn attempts_of(&self, user: u64) -> Vec<Duration> {
        let contact = Contact::user_id(user);
        let attempts = self.attempts();
        let of = attempts.iter().filter(|attempt| *attempt.event.contact() == contact);
        of.map(|attempt| attempt.at).collect()
    }

    /// Returns the accepted events, in order.
    pub(crate) fn taken(&self) -> Vec<DataEvent> {
        self.log().taken.clone()
    }

    /// Returns the creations of contacts, with their times.
    pub(crate) fn creations(&self) -> Vec<(Contact, Duration)> {
        self.log().creations.clone()
    }

    /// Returns the largest number of concurrent sends.
    pub(crate) fn most_running(&self) -> usize {
        self.log().most_running
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.0.log)
    }

    fn asked(&self, event: &DataEvent) -> Sent {
        let at = self.elapsed();
        let (number, before) = {
            let mut log = self.log();
            log.attempts.push(Attempt { event: event.clone(), at });
            let same = log.by_body.entry(event.body().to_vec()).or_default();
            *same += 1;
            let before = *same - 1;
            (log.attempts.len() - 1, before)
        };
        let on_send = lock(&self.0.on_send).clone();
        on_send(&Call { number, before, event, at })
    }
}

/// A send in flight.
struct Running(Scripted);

impl Running {
    fn begin(transport: Scripted) -> Self {
        let mut log = transport.log();
        log.running += 1;
        log.most_running = log.most_running.max(log.running);
        drop(log);
        Running(transport)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.log().running -= 1;
    }
}

async fn perform<T>(act: Act<T>) -> Result<T, SendError> {
    match act {
        Act::End(result) => result,
        Act::Late(time, result) => {
            sleep(time).await;
            result
        }
        Act::Hang => std::future::pending().await,
        Act::PanicAtCall | Act::PanicInPoll => panic!("as the script says"),
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send + 'a>>;

#[async_trait]
impl Transport for Scripted {
    // Not an `async fn`, so that it can panic before it returns a future.
    fn send<'a>(self: Arc<Self>, event: DataEvent) -> Sending<'a>
    where
        Self: 'a,
    {
        let act = self.asked(&event);
        assert!(!matches!(act, Act::PanicAtCall), "as the script says");
        let running = Running::begin((*self).clone());
        Box::pin(async move {
            let _running = running;
            let sent = perform(act).await?;
            self.log().taken.push(event);
            Ok(sent)
        })
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        let at = self.elapsed();
        let (number, before) = {
            let mut log = self.log();
            let before = log.creations.iter().filter(|(other, _)| other == contact).count();
            log.creations.push((contact.clone(), at));
            (log.creations.len() - 1, before)
        };
        let on_create = lock(&self.0.on_create).clone();
        perform(on_create(&CreateCall { number, before, contact, at })).await
    }
}

/// An outbox whose store fails or is slow on demand. Clones share all state.
pub(crate) type UnreliableOutbox = Forwarding<Unreliable>;

#[derive(Clone, Default)]
pub(crate) struct Unreliable {
    pub(crate) inner: Arc<MemoryOutbox>,
    faults: Arc<Mutex<Faults>>,
    leased: Arc<AtomicUsize>,
    settles: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Default)]
struct Faults {
    accepting: bool,
    accepting_takes: Duration,
    leasing: bool,
    admitting: bool,
    settling: bool,
    settling_panics: bool,
    settling_takes: Duration,
}

impl Unreliable {
    pub(crate) fn accepting_fails(&self, fails: bool) {
        lock(&self.faults).accepting = fails;
    }

    pub(crate) fn accepting_takes(&self, time: Duration) {
        lock(&self.faults).accepting_takes = time;
    }

    /// Returns the number of leased events.
    pub(crate) fn leased(&self) -> usize {
        self.leased.load(Ordering::SeqCst)
    }

    /// Returns the number of calls of `settle`, failed ones included.
    pub(crate) fn settles(&self) -> usize {
        self.settles.load(Ordering::SeqCst)
    }

    pub(crate) fn leasing_fails(&self, fails: bool) {
        lock(&self.faults).leasing = fails;
    }

    pub(crate) fn admitting_fails(&self, fails: bool) {
        lock(&self.faults).admitting = fails;
    }

    pub(crate) fn settling_fails(&self, fails: bool) {
        lock(&self.faults).settling = fails;
    }

    pub(crate) fn settling_panics(&self, panics: bool) {
        lock(&self.faults).settling_panics = panics;
    }

    pub(crate) fn settling_takes(&self, time: Duration) {
        lock(&self.faults).settling_takes = time;
    }

    fn faults(&self) -> Faults {
        *lock(&self.faults)
    }
}

/// Waits for this time. Does not yield if it is zero.
async fn pass(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

fn disk_full(fails: bool) -> Result<(), OutboxError> {
    match fails {
        true => Err(OutboxError::new("the disk is full")),
        false => Ok(()),
    }
}

#[async_trait]
impl Forward for Unreliable {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.inner
    }

    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        pass(self.faults().accepting_takes).await;
        disk_full(self.faults().accepting)?;
        self.inner.accept(events).await
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        disk_full(self.faults().leasing)?;
        let turn = self.inner.lease(standing, limit).await?;
        if let Turn::Leased(leased) = &turn {
            self.leased.fetch_add(leased.events.len(), Ordering::SeqCst);
        }
        Ok(turn)
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        disk_full(self.faults().admitting)?;
        self.inner.admit(epoch, admissions).await
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        self.settles.fetch_add(1, Ordering::SeqCst);
        assert!(!self.faults().settling_panics, "as the script says");
        pass(self.faults().settling_takes).await;
        disk_full(self.faults().settling)?;
        self.inner.settle(epoch, settlements, forget_before).await
    }
}

/// Makes an event of this contact with a number. Events with different numbers do not collide.
pub(crate) fn event(number: u64) -> DataEvent {
    named("tested", number)
}

pub(crate) fn named(name: &str, number: u64) -> DataEvent {
    made(name, Contact::user_id(number), number)
}

/// Makes the event with this number, of this contact, in a second of its own.
pub(crate) fn made(name: &str, contact: Contact, number: u64) -> DataEvent {
    let second = Timestamp::from_unix_seconds(1_700_000_000 + i64::try_from(number).unwrap());
    let event = DynamicEvent::new(name).unwrap().with("number", number).unwrap();
    DataEvent::new(&event, contact, second).unwrap()
}

pub(crate) fn number_of(event: &DataEvent) -> u64 {
    event.to_json()["metadata"]["number"].as_u64().unwrap()
}

/// Returns the numbers of these events, sorted.
pub(crate) fn numbers(events: &[DataEvent]) -> Vec<u64> {
    let mut numbers: Vec<_> = events.iter().map(number_of).collect();
    numbers.sort_unstable();
    numbers
}

pub(crate) async fn send(delivery: &Delivery, event: DataEvent) {
    delivery.tracker().send_prepared(event).await.unwrap();
}

#[track_caller]
pub(crate) fn assert_ledger(ledger: &Ledger, delivered: u64, dead: u64, pending: u64) {
    assert!(ledger.is_balanced(), "{ledger}");
    let found = (ledger.delivered, ledger.dead, ledger.pending);
    assert_eq!(found, (delivered, dead, pending), "{ledger}");
}

/// The limit of a test in real time. In a busy loop, virtual time stands still.
const IN_EARNEST: Duration = Duration::from_secs(120);

/// Enables all log lines from the start. `tracing` caches for all threads whether a line is
/// enabled, and could do so just before a test on another thread captures it.
fn listen_to_everything() {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    });
}

/// Runs a test. Fails if it takes more than ten days of virtual time, or spins.
pub(crate) async fn guarded<T>(test: impl Future<Output = T>) -> T {
    listen_to_everything();
    let begun = std::time::Instant::now();
    let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    let (_ended, watch) = channel::<()>();
    thread::spawn(move || {
        if watch.recv_timeout(IN_EARNEST) == Err(RecvTimeoutError::Timeout) {
            waker.wake();
        }
    });
    let mut test = pin!(timeout(240 * HOUR, test));
    let ended = poll_fn(|context| {
        let ended = test.as_mut().poll(context);
        assert!(ended.is_ready() || begun.elapsed() < IN_EARNEST, "the test spins or is too slow");
        ended
    });
    ended.await.expect("it hangs")
}

/// The log of this thread, while the value lives.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Captures everything from this level up.
    pub(crate) fn capture(level: LevelFilter) -> (Logs, DefaultGuard) {
        listen_to_everything();
        let logs = Logs::default();
        let writer = logs.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (logs, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }

    /// Returns the lines that contain `with`.
    pub(crate) fn lines(&self, with: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(with)).map(str::to_owned).collect()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A test may still read the value after a panic elsewhere.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
