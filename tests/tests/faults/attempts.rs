//! A transport that records how each attempt ended: the client's knowledge.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, Receipt, SendError, Transport, async_trait,
};
use intercom_http::HttpTransport;
use tokio::sync::watch;

/// Sends by its inner transport, and records how each attempt ended.
#[derive(Clone)]
pub(crate) struct AttemptLog {
    inner: Arc<HttpTransport>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The results of the attempts for each body. `None` is a success.
    attempts: Mutex<HashMap<Vec<u8>, Vec<Option<ErrorKind>>>>,
    failures: watch::Sender<usize>,
    under_way: Mutex<HashSet<Vec<u8>>>,
    overlapping: AtomicUsize,
}

/// An attempt in flight. Dropping it ends the attempt.
struct UnderWay<'a>(&'a Seen, Vec<u8>);

impl<'a> UnderWay<'a> {
    fn begin(seen: &'a Seen, body: Vec<u8>) -> Self {
        let alone = seen.under_way.lock().unwrap().insert(body.clone());
        seen.overlapping.fetch_add(usize::from(!alone), Ordering::Relaxed);
        UnderWay(seen, body)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.lock().unwrap().remove(&self.1);
    }
}

impl AttemptLog {
    pub(crate) fn new(inner: HttpTransport) -> Self {
        AttemptLog { inner: Arc::new(inner), seen: Arc::default() }
    }

    /// Returns the number of failed attempts.
    pub(crate) fn failures(&self) -> usize {
        *self.seen.failures.borrow()
    }

    /// Returns the number of attempts that failed in this way.
    pub(crate) fn failures_of(&self, kind: ErrorKind) -> usize {
        let attempts = self.seen.attempts.lock().unwrap();
        attempts.values().flatten().filter(|end| **end == Some(kind)).count()
    }

    /// Waits until this many attempts have failed.
    pub(crate) async fn wait_for_failures(&self, number: usize) {
        let mut failures = self.seen.failures.subscribe();
        failures.wait_for(|failures| *failures >= number).await.unwrap();
    }

    /// Returns how many attempts began while another one with the same event was in flight.
    pub(crate) fn overlapping(&self) -> usize {
        self.seen.overlapping.load(Ordering::Relaxed)
    }

    /// Returns how many events were sent again after a known success.
    pub(crate) fn sent_again_after_success(&self) -> usize {
        let attempts = self.seen.attempts.lock().unwrap();
        let is_repeated = |ends: &&Vec<Option<ErrorKind>>| {
            ends.iter().position(Option::is_none).is_some_and(|taken| taken + 1 < ends.len())
        };
        attempts.values().filter(is_repeated).count()
    }
}

#[async_trait]
impl Transport for AttemptLog {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        let body = event.body().to_vec();
        let _under_way = UnderWay::begin(&self.seen, body.clone());
        let sent = Arc::clone(&self.inner).send(event).await;
        let end = sent.as_ref().err().map(SendError::kind);
        self.seen.attempts.lock().unwrap().entry(body).or_default().push(end);
        if end.is_some() {
            self.seen.failures.send_modify(|failures| *failures += 1);
        }
        sent
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        self.inner.create_contact(contact).await
    }
}
