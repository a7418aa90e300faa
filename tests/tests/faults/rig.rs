//! A delivery, the sandbox, and a bad network between them.

use std::ops::Range;
use std::time::Duration;

use intercom_core::{Contact, DynamicEvent, ErrorKind};
use intercom_delivery::{Delivery, DeliveryBuilder, RetryPolicy};
use intercom_http::HttpTransport;
use intercom_sandbox::{Sandbox, SandboxBuilder};
use tokio::time::timeout;

use crate::attempts::AttemptLog;
use crate::proxy::{Fault, Proxy};
use crate::verdict::Evidence;

/// The limit of a request for faults that end by it.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// The limit of a request for all other faults.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// The limit of every wait. A test that reaches it hangs, and fails.
pub(crate) const HANGS: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) proxy: Proxy,
    pub(crate) attempts: AttemptLog,
    pub(crate) delivery: Delivery,
}

impl Rig {
    /// Starts everything, with a sandbox that knows every contact. A request ends after `within`.
    pub(crate) async fn start(
        within: Duration,
        script: impl FnMut() -> Option<Fault> + Send + 'static,
    ) -> Self {
        Rig::start_with(everybody(), within, script, |delivery| delivery.concurrency(8)).await
    }

    /// Starts everything, with this sandbox and these settings of the delivery.
    pub(crate) async fn start_with(
        sandbox: SandboxBuilder,
        within: Duration,
        script: impl FnMut() -> Option<Fault> + Send + 'static,
        set_up: impl FnOnce(DeliveryBuilder) -> DeliveryBuilder,
    ) -> Self {
        let (sandbox, proxy, transport) = network(sandbox, within, script).await;
        let attempts = AttemptLog::new(transport);
        let (base, cap) = (Duration::from_millis(2), Duration::from_millis(20));
        let delivery =
            Delivery::builder(attempts.clone()).retry(RetryPolicy::new().base(base).cap(cap));
        let delivery = set_up(delivery).start().unwrap();
        Rig { sandbox, proxy, attempts, delivery }
    }

    /// Sends the events with these numbers.
    pub(crate) async fn send(&self, numbers: Range<u64>) {
        let tracker = self.delivery.tracker();
        for number in numbers {
            tracker.for_contact(contact(number)).send(&event(number)).await.unwrap();
        }
    }

    /// Waits until `sent` events are delivered, ends everything, and judges.
    pub(crate) async fn finish(self, sent: u64) -> Outcome {
        let Rig { sandbox, proxy, attempts, delivery } = self;
        let report = timeout(2 * HANGS, delivery.shutdown(HANGS)).await.unwrap();
        let letters = delivery.dead_letters(None, 10).await.unwrap();
        assert!(letters.is_empty(), "{letters:#?}");
        assert_eq!((report.delivered, report.dead, report.pending), (sent, 0, 0));
        let ledger = delivery.ledger().await.unwrap();
        assert!(ledger.is_balanced(), "{ledger}");
        assert_eq!((ledger.accepted, ledger.pending, ledger.refused.total()), (sent, 0, 0));
        assert_eq!(ledger.accepted, ledger.delivered + ledger.dead);
        assert_eq!((ledger.collided, ledger.panics), (0, 0));
        assert_eq!(delivery.status().in_flight, 0);

        let timeouts = attempts.failures_of(ErrorKind::Timeout);
        let evidence = Evidence {
            sent,
            arrived: sandbox.events(),
            unanswered: proxy.unanswered(),
            impatience: timeouts.saturating_sub(proxy.silences()),
        };
        let complaints = evidence.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
        assert_eq!(
            attempts.sent_again_after_success(),
            0,
            "events were sent again after a known success"
        );
        assert_eq!(attempts.overlapping(), 0, "events were sent while an attempt was in flight");
        let contacts = sandbox.contacts().len();
        Outcome { contacts, repetitions: evidence.repetitions(), faults: proxy.faults(), attempts }
    }
}

/// The figures of a run without complaints.
pub(crate) struct Outcome {
    /// The number of the sandbox's contacts.
    pub(crate) contacts: usize,
    pub(crate) repetitions: usize,
    pub(crate) faults: usize,
    pub(crate) attempts: AttemptLog,
}

pub(crate) fn everybody() -> SandboxBuilder {
    Sandbox::builder().know_everybody(true)
}

/// Polls the condition until it holds. All other tasks go on meanwhile.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let looking = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(HANGS, looking).await.unwrap();
}

/// Starts the sandbox, a proxy before it, and a transport through the proxy.
pub(crate) async fn network(
    sandbox: SandboxBuilder,
    within: Duration,
    script: impl FnMut() -> Option<Fault> + Send + 'static,
) -> (Sandbox, Proxy, HttpTransport) {
    // The verdict must see duplicates, so the sandbox must not drop them.
    let sandbox = sandbox.no_rate_limit().deduplicate(false).start().await.unwrap();
    let proxy = Proxy::start(sandbox.url(), script);
    let transport = HttpTransport::builder(sandbox.token())
        .base_url(proxy.url())
        .timeout(within)
        .build()
        .unwrap();
    (sandbox, proxy, transport)
}

/// Several events share a contact, so that admission must move some to another second.
pub(crate) fn contact(number: u64) -> Contact {
    Contact::user_id(number % 100)
}

pub(crate) fn event(number: u64) -> DynamicEvent {
    DynamicEvent::new("project_created").unwrap().with("number", number).unwrap()
}
