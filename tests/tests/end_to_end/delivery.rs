//! A delivery against the sandbox: every response has its documented result, and the ledger
//! accounts for every event.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use intercom_core::{Contact, DynamicEvent, ErrorKind, Timestamp};
use intercom_delivery::{
    Backpressure, DeadLetter, DeadLetterReason, Delivery, DeliveryBuilder, DrainReport, Ledger,
    MemoryOutbox, RetryPolicy, Selection, State, Trouble, UnknownContact,
};
use intercom_http::HttpTransport;
use intercom_sandbox::{Answer, OpenRules, Sandbox, SandboxBuilder, SeedContact};
use serde_json::Value;
use tokio::time::timeout;

/// The limit of every wait. A test that reaches it hangs, and fails.
const HANGS: Duration = Duration::from_secs(60);

/// Starts a sandbox, and a delivery to it with a short back-off.
async fn start(sandbox: SandboxBuilder) -> (Sandbox, DeliveryBuilder) {
    let (sandbox, transport) = crate::start(sandbox).await;
    (sandbox, quick(transport))
}

fn quick(transport: HttpTransport) -> DeliveryBuilder {
    let (base, cap) = (Duration::from_millis(2), Duration::from_millis(20));
    Delivery::builder(transport).retry(RetryPolicy::new().base(base).cap(cap))
}

fn everybody() -> SandboxBuilder {
    Sandbox::builder().know_everybody(true).deduplicate(false)
}

fn ada() -> Contact {
    Contact::email("ada@example.com")
}

fn event(number: u64) -> DynamicEvent {
    DynamicEvent::new("project_created").unwrap().with("number", number).unwrap()
}

/// Sends this many events, each of its own contact.
async fn send(delivery: &Delivery, events: u64) {
    for number in 0..events {
        let tracker = delivery.tracker();
        tracker.for_contact(Contact::user_id(number)).send(&event(number)).await.unwrap();
    }
}

/// Sends one event of Ada.
async fn send_one(delivery: &Delivery) {
    delivery.tracker().for_contact(ada()).send(&event(0)).await.unwrap();
}

/// Waits until everything is settled, and returns the numbers of delivered and of dead events.
async fn flush(delivery: &Delivery) -> (u64, u64) {
    let DrainReport { delivered, dead, pending, .. } =
        timeout(2 * HANGS, delivery.flush(HANGS)).await.expect("a flush that ends");
    assert_eq!(pending, 0);
    let ledger = ledger(delivery).await;
    assert!(ledger.is_balanced(), "{ledger}");
    assert_eq!(ledger.accepted, ledger.delivered + ledger.dead);
    (delivered, dead)
}

async fn ledger(delivery: &Delivery) -> Ledger {
    delivery.ledger().await.unwrap()
}

/// Returns the only dead letter.
async fn the_dead_letter(delivery: &Delivery) -> DeadLetter {
    let letters = delivery.dead_letters(None, 10).await.unwrap();
    let [letter] = &letters[..] else { panic!("one dead letter, not {letters:?}") };
    letter.clone()
}

/// Returns the numbers of the events that arrived, sorted.
fn arrived(sandbox: &Sandbox) -> Vec<u64> {
    let number =
        |event: &intercom_sandbox::ReceivedEvent| event.metadata_value("number").unwrap().as_u64();
    let mut numbers: Vec<_> = sandbox.events().iter().map(|event| number(event).unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Returns the number of responses with this status.
fn answered(sandbox: &Sandbox, status: u16) -> usize {
    sandbox.requests().iter().filter(|request| request.status() == Some(status)).count()
}

/// Polls the delivery's state until `interest` finds what it looks for. All other tasks go on
/// meanwhile.
async fn state<T>(delivery: &Delivery, interest: impl Fn(State) -> Option<T>) -> T {
    let looking = async {
        loop {
            match interest(delivery.status().state) {
                Some(found) => return found,
                None => tokio::task::yield_now().await,
            }
        }
    };
    timeout(HANGS, looking).await.expect("the delivery reaches the state")
}

#[tokio::test]
async fn a_burst_beyond_the_capacity_arrives_whole() {
    let (sandbox, builder) = start(everybody()).await;
    let delivery = builder.outbox(MemoryOutbox::new().capacity(20)).start().unwrap();
    let tracker = delivery.tracker();
    let tasks: Vec<_> = (0..500)
        .map(|number| {
            tokio::spawn(tracker.for_contact(Contact::user_id(number)).send(&event(number)))
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().unwrap().is_accepted());
    }
    assert_eq!(flush(&delivery).await, (500, 0));
    assert_eq!(arrived(&sandbox), Vec::from_iter(0..500));
    let ledger = ledger(&delivery).await;
    let offered = ledger.accepted + ledger.refused.total();
    assert_eq!((offered, ledger.refused.total(), ledger.waiting), (500, 0, 0));
}

#[tokio::test]
async fn a_full_outbox_refuses_with_an_error_and_the_rest_arrives() {
    let (sandbox, builder) = start(everybody()).await;
    let delivery = builder
        .outbox(MemoryOutbox::new().capacity(20))
        .backpressure(Backpressure::Refuse)
        .start()
        .unwrap();
    let mut accepted = Vec::new();
    for number in 0..500 {
        let user = delivery.tracker().for_contact(Contact::user_id(number));
        match user.send(&event(number)).await {
            Ok(_) => accepted.push(number),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Full),
        }
    }
    assert!((20..500).contains(&accepted.len()), "{} accepted", accepted.len());
    assert_eq!(flush(&delivery).await, (accepted.len() as u64, 0));
    assert_eq!(arrived(&sandbox), accepted);
    assert_eq!(ledger(&delivery).await.refused.full, 500 - accepted.len() as u64);
}

#[tokio::test]
async fn unknown_contacts_are_created_once_and_all_their_events_arrive() {
    let (sandbox, builder) = start(Sandbox::builder().no_rate_limit()).await;
    let delivery = builder.unknown_contact(UnknownContact::Create).start().unwrap();
    let time = Timestamp::from_unix_seconds(1_700_000_000);
    for number in 0..500 {
        let user = delivery.tracker().for_contact(Contact::user_id(number % 5));
        user.send_at(&event(number), time).await.unwrap();
    }
    assert_eq!(flush(&delivery).await, (500, 0));
    assert_eq!(arrived(&sandbox), Vec::from_iter(0..500));
    assert_eq!(sandbox.contacts().len(), 5);
    let creations =
        sandbox.requests().iter().filter(|request| request.path() == "/contacts").count();
    assert_eq!(creations, 5);
    // All events had one second, and without admission Intercom would have kept one for each
    // contact.
    assert_eq!(ledger(&delivery).await.moved, 495);
    let seconds: HashSet<_> = sandbox
        .events()
        .iter()
        .map(|event| (event.user_id().unwrap().to_owned(), event.created_at()))
        .collect();
    assert_eq!(seconds.len(), 500);
}

#[tokio::test]
async fn a_contact_created_elsewhere_meanwhile_takes_events() {
    let contact = SeedContact::email("ada@example.com");
    let (sandbox, builder) = start(Sandbox::builder().contact(contact)).await;
    sandbox.answer_next(Answer::error(404, "not_found", "User Not Found"));
    let delivery = builder.unknown_contact(UnknownContact::Create).start().unwrap();
    send_one(&delivery).await;
    assert_eq!(flush(&delivery).await, (1, 0));
    let statuses: Vec<_> = sandbox.requests().iter().map(|request| request.status()).collect();
    assert_eq!(statuses, [Some(404), Some(409), Some(202)]);
    assert_eq!(sandbox.contacts().len(), 1);
}

#[tokio::test]
async fn an_archived_contact_takes_no_events_until_it_is_unarchived() {
    let archived = SeedContact::email("ada@example.com").archived();
    let (sandbox, builder) = start(Sandbox::builder().contact(archived)).await;
    let delivery = builder.unknown_contact(UnknownContact::Create).start().unwrap();
    send_one(&delivery).await;
    assert_eq!(flush(&delivery).await, (0, 1));
    let letter = the_dead_letter(&delivery).await;
    assert_eq!(letter.reason, DeadLetterReason::ArchivedContact);
    assert!(letter.failure.unwrap().message.contains("archived"));

    sandbox.add_contact(SeedContact::email("ada@example.com"));
    let which = Selection::Reason(DeadLetterReason::ArchivedContact);
    assert_eq!(delivery.redrive(&which).await.unwrap(), 1);
    assert_eq!(flush(&delivery).await, (1, 0));
    assert_eq!(sandbox.events()[0].body(), letter.event.body());
}

#[tokio::test]
async fn the_reason_for_an_archived_contact_is_one_sentence() {
    let archived = SeedContact::email("ada@example.com").archived();
    let (_sandbox, builder) = start(Sandbox::builder().contact(archived)).await;
    let delivery = builder.unknown_contact(UnknownContact::Create).start().unwrap();
    send_one(&delivery).await;
    assert_eq!(flush(&delivery).await, (0, 1));
    let message = the_dead_letter(&delivery).await.failure.unwrap().message;
    assert!(!message.contains("  "), "{message}");
}

#[tokio::test]
async fn an_ambiguous_contact_is_a_dead_letter_with_either_status() {
    for (as_400, status) in [(false, 409), (true, 400)] {
        let sandbox = Sandbox::builder()
            .contact(SeedContact::user_id("1").with_email("ada@example.com"))
            .contact(SeedContact::user_id("2").with_email("ada@example.com"))
            .open_rules(OpenRules::default().ambiguous_contact_is_400(as_400));
        let (_sandbox, builder) = start(sandbox).await;
        let delivery = builder.unknown_contact(UnknownContact::Create).start().unwrap();
        send_one(&delivery).await;
        assert_eq!(flush(&delivery).await, (0, 1));
        let letter = the_dead_letter(&delivery).await;
        assert_eq!(letter.reason, DeadLetterReason::AmbiguousContact);
        assert_eq!(letter.failure.unwrap().status, Some(status));
    }
}

#[tokio::test]
async fn a_refused_event_is_a_dead_letter_that_says_why() {
    let (sandbox, builder) = start(everybody()).await;
    sandbox.answer_next(Answer::error(422, "parameter_invalid", "no ada@example.com here"));
    let delivery = builder.start().unwrap();
    send_one(&delivery).await;
    assert_eq!(flush(&delivery).await, (0, 1));
    let letter = the_dead_letter(&delivery).await;
    assert_eq!((letter.reason, letter.attempts), (DeadLetterReason::Rejected, 1));
    assert_eq!(ledger(&delivery).await.deaths.of(DeadLetterReason::Rejected), 1);

    let failure = letter.failure.unwrap();
    let answer: Value = serde_json::from_slice(sandbox.requests()[0].answer()).unwrap();
    assert_eq!(failure.status, Some(422));
    assert_eq!(failure.request_id.as_deref(), answer["request_id"].as_str());
    for part in ["HTTP 422", "parameter_invalid", "no [contact] here"] {
        assert!(failure.message.contains(part), "{part} in {}", failure.message);
    }
    assert!(!failure.message.contains("ada@example.com"), "{}", failure.message);
}

#[tokio::test]
async fn an_event_beyond_the_name_limit_is_the_only_dead_letter() {
    let (sandbox, builder) = start(everybody().active_event_names(1)).await;
    let delivery = builder.concurrency(4).start().unwrap();
    send(&delivery, 1).await;
    assert_eq!(flush(&delivery).await, (1, 0));

    let other = DynamicEvent::new("project_deleted").unwrap();
    for number in 1..=100 {
        let user = delivery.tracker().for_contact(Contact::user_id(number));
        user.send(&event(number)).await.unwrap();
        user.send(&other).await.unwrap();
    }
    assert_eq!(flush(&delivery).await, (101, 100));
    assert_eq!(arrived(&sandbox), Vec::from_iter(0..=100));
    assert_eq!(ledger(&delivery).await.deaths.of(DeadLetterReason::EventNameLimit), 100);
    for letter in delivery.dead_letters(None, 200).await.unwrap() {
        assert_eq!(letter.event.event_name(), "project_deleted");
        assert_eq!(letter.reason, DeadLetterReason::EventNameLimit);
        assert!(letter.failure.is_some());
    }
    // Only the events in flight with the first one were sent.
    let refused = answered(&sandbox, 422);
    assert!((1..=4).contains(&refused), "{refused} refused");
}

#[tokio::test]
async fn an_event_is_redriven_after_names_were_archived() {
    let (sandbox, builder) = start(everybody()).await;
    let delivery = builder.start().unwrap();
    let refusal = "Cannot have more than 120 active event names";
    sandbox.answer_next(Answer::error(422, "422", refusal));
    send_one(&delivery).await;
    assert_eq!(flush(&delivery).await, (0, 1));
    let letter = the_dead_letter(&delivery).await;
    assert_eq!(letter.reason, DeadLetterReason::EventNameLimit);

    // An operator has archived other names, and follows the log's advice.
    delivery.resume();
    let which = Selection::Name("project_created".to_owned());
    assert_eq!(delivery.redrive(&which).await.unwrap(), 1);
    assert_eq!(flush(&delivery).await, (1, 0));
    assert_eq!(sandbox.events()[0].body(), letter.event.body());
}

#[tokio::test]
async fn a_wrong_token_stops_delivery_and_a_right_one_lets_everything_through_at_once() {
    let sandbox = everybody().start().await.unwrap();
    let transport = HttpTransport::builder("wrong").base_url(sandbox.url()).build().unwrap();
    let delivery = quick(transport.clone()).start().unwrap();
    send(&delivery, 100).await;
    let stopped = |state| match state {
        State::Stopped(trouble) => Some(trouble),
        _ => None,
    };
    let Trouble { kind, next_probe_in, .. } = state(&delivery, stopped).await;
    assert_eq!(kind, Some(ErrorKind::Unauthorized));
    let ledger = ledger(&delivery).await;
    assert_eq!((ledger.pending, ledger.dead), (100, 0));

    let mended = Instant::now();
    transport.replace_token(sandbox.token()).unwrap();
    delivery.resume();
    assert_eq!(flush(&delivery).await, (100, 0));
    let took = mended.elapsed();
    assert!(took < next_probe_in, "{took:?}, and it would have probed in {next_probe_in:?}");
    assert_eq!(arrived(&sandbox), Vec::from_iter(0..100));
    assert!(matches!(delivery.status().state, State::Delivering));
}

#[tokio::test]
async fn a_429_is_waited_for_and_counts_as_no_attempt() {
    let (sandbox, builder) = start(everybody()).await;
    let delivery = builder.retry(RetryPolicy::new().max_attempts(1)).start().unwrap();
    let refusal = || Answer::error(429, "rate_limit_exceeded", "slow down");
    let paused = |state| match state {
        State::Paused { resumes_in } => Some(resumes_in),
        _ => None,
    };

    sandbox.answer_next(refusal().header("Retry-After", "1"));
    send(&delivery, 20).await;
    state(&delivery, paused).await;
    assert_eq!(flush(&delivery).await, (20, 0));

    let reset = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 2;
    sandbox.answer_next(
        refusal()
            .header("X-RateLimit-Limit", "100")
            .header("X-RateLimit-Remaining", "0")
            .header("X-RateLimit-Reset", &reset.to_string()),
    );
    delivery.tracker().for_contact(ada()).send(&event(20)).await.unwrap();
    state(&delivery, paused).await;
    assert_eq!(flush(&delivery).await, (21, 0));
    assert_eq!(arrived(&sandbox), Vec::from_iter(0..=20));
    assert_eq!(answered(&sandbox, 429), 2);
}

#[tokio::test]
async fn a_429_without_headers_pauses_sending_for_a_window() {
    let (sandbox, builder) = start(everybody()).await;
    sandbox.answer_next(Answer::error(429, "rate_limit_exceeded", "slow down"));
    let delivery = builder.start().unwrap();
    send(&delivery, 20).await;
    let resumes_in = state(&delivery, |state| match state {
        State::Paused { resumes_in } => Some(resumes_in),
        _ => None,
    })
    .await;
    assert!(resumes_in <= Duration::from_secs(11), "{resumes_in:?}");
    assert_eq!(sandbox.request_count(), 1);
    // The window is longer than this limit, so the test waits for no refill.
    let report = timeout(HANGS, delivery.shutdown(Duration::from_secs(1))).await.unwrap();
    assert_eq!((report.delivered, report.dead, report.pending), (0, 0, 20));
    assert!(ledger(&delivery).await.is_balanced());
}

#[tokio::test]
async fn a_server_that_is_down_for_a_moment_costs_no_event() {
    let (sandbox, builder) = start(everybody()).await;
    let delivery = builder.start().unwrap();
    for _ in 0..5 {
        sandbox.answer_next(Answer::error(503, "service_unavailable", "down"));
    }
    send(&delivery, 100).await;
    assert_eq!(flush(&delivery).await, (100, 0));
    sandbox.answer_next(Answer::status(503).header("Retry-After", "1").body("<h1>Sorry</h1>"));
    delivery.tracker().for_contact(ada()).send(&event(100)).await.unwrap();
    assert_eq!(flush(&delivery).await, (101, 0));
    assert_eq!(arrived(&sandbox), Vec::from_iter(0..=100));
    assert_eq!(answered(&sandbox, 503), 6);
}

#[tokio::test]
async fn the_rate_limit_is_kept_without_a_single_refusal() {
    let (sandbox, builder) = start(everybody().rate_limit(50)).await;
    let delivery = builder.start().unwrap();
    send(&delivery, 40).await;
    assert_eq!(flush(&delivery).await, (40, 0));
    assert_eq!(arrived(&sandbox), Vec::from_iter(0..40));
    assert_eq!(answered(&sandbox, 429), 0);
    assert_eq!(delivery.status().rate_limit.unwrap().limit, Some(50));
}

#[tokio::test]
async fn a_server_that_hangs_up_or_stays_silent_gets_the_event_again() {
    let sandbox = everybody().start().await.unwrap();
    let transport = HttpTransport::builder(sandbox.token())
        .base_url(sandbox.url())
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let delivery = quick(transport).start().unwrap();
    for _ in 0..4 {
        sandbox.answer_next(Answer::hang_up());
        sandbox.answer_next(Answer::silence());
    }
    send(&delivery, 100).await;
    assert_eq!(flush(&delivery).await, (100, 0));
    assert_eq!(sandbox.pending_answers(), 0);
    let mut numbers = arrived(&sandbox);
    // On a busy machine a response can miss the time-out, and then an event arrives twice.
    numbers.dedup();
    assert_eq!(numbers, Vec::from_iter(0..100));
}
