//! The lock of a program's catalogue, read by the sandbox with its own parser.

use std::time::SystemTime;

use intercom_catalogue::Plan;
use intercom_core::{
    Contact, Currency, DynamicEvent, IntercomEvent, Money, RichLink, Tracker, catalogue,
};
use intercom_sandbox::{EventsLock, Sandbox};

/// A customer paid, "at last".
#[derive(IntercomEvent)]
#[event(name = "Invoice paid", also = big)]
struct InvoicePaid {
    amount: Money,
    due_date: SystemTime,
    receipt: RichLink,
    page: url::Url,
    #[event(sensitive)]
    note: String,
    yearly: bool,
    seats: Option<u32>,
}

#[derive(IntercomEvent)]
#[event(name = "big_invoice_paid")]
struct BigInvoicePaid;

#[derive(IntercomEvent)]
#[event(name = "never_sent")]
struct NeverSent;

fn big(_: &InvoicePaid) -> Option<BigInvoicePaid> {
    Some(BigInvoicePaid)
}

catalogue! {
    #[budget(90)]
    static BILLING: InvoicePaid, BigInvoicePaid, NeverSent
}

#[tokio::test]
async fn a_lock_has_each_event_that_the_program_sends() {
    let lock = EventsLock::parse(&Plan::of(&BILLING).lock().to_string()).unwrap();
    let (sandbox, transport) =
        crate::start(Sandbox::builder().know_everybody(true).events_lock(lock)).await;
    let tracker = Tracker::new(transport).for_contact(Contact::user_id(42));
    let paid = InvoicePaid {
        amount: Money::new(34_999, Currency::EUR),
        due_date: SystemTime::now(),
        receipt: RichLink::new("https://example.com/7", "Receipt"),
        page: "https://example.com".parse().unwrap(),
        note: "to my sister".into(),
        yearly: true,
        seats: None,
    };
    tracker.send(&paid).await.unwrap();
    let warnings = || sandbox.requests().iter().flat_map(|it| it.warnings()).collect::<Vec<_>>();
    assert_eq!(sandbox.event_count(), 2, "both, with the derived one");
    assert!(warnings().is_empty(), "{:?}", warnings());
    assert_eq!(sandbox.never_sent(), ["never_sent"]);
    assert!(!format!("{:?}", sandbox.requests()).contains("to my sister"));

    tracker.send(&DynamicEvent::new("invoice_paid").unwrap()).await.unwrap();
    assert_eq!(warnings(), ["The event `invoice_paid` is not in the lock."]);
}
