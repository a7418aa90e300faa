//! Reading back sent events and summaries.

use intercom_core::{
    Contact, Currency, DynamicEvent, IntercomEvent, Money, RichLink, Timestamp, Tracker,
};
use intercom_http::{EventSummary, PastValue};
use intercom_sandbox::Sandbox;

#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid<'a> {
    number: u64,
    amount: Money,
    due_date: Timestamp,
    page: RichLink,
    plan: &'a str,
    renewed: bool,
}

/// The type for the metadata of an `InvoicePaid` that is read back.
#[derive(Debug, serde::Deserialize)]
struct Paid {
    number: u64,
    plan: String,
}

#[tokio::test]
async fn sent_events_are_read_back_page_by_page() {
    let (_sandbox, transport) = crate::start(Sandbox::builder().know_everybody(true)).await;
    let (ada, now) = (Contact::user_id("ada & co"), Timestamp::now().unix_seconds());
    let tracker = Tracker::new(transport.clone()).for_contact(ada.clone());
    let time =
        |number: u64| Timestamp::from_unix_seconds(now - 1_000 + i64::try_from(number).unwrap());
    for number in 0..40 {
        let event = InvoicePaid {
            number,
            amount: Money::new(34_999, Currency::EUR),
            due_date: time(7),
            page: RichLink::new("https://example.com/7", "seven"),
            plan: "pro",
            renewed: number % 2 == 0,
        };
        tracker.send_at(&event, time(number)).await.unwrap();
    }
    for per_page in [1, 7, 40, 150] {
        let mut events = transport.events(&ada).per_page(per_page);
        let mut numbers = Vec::new();
        while let Some(event) = events.next().await {
            let event = event.unwrap();
            let paid: Paid = event.metadata_as().unwrap();
            assert_eq!(
                (event.name(), event.created_at(), &*paid.plan),
                ("invoice_paid", time(paid.number), "pro")
            );
            assert_eq!(event.contact().as_user_id(), Some("ada & co"));
            numbers.push(paid.number);
        }
        assert_eq!(numbers, (0..40).rev().collect::<Vec<u64>>(), "{per_page} per page");
    }

    let mut events = transport.events(&ada).per_page(3).since(time(35));
    let newest = events.next().await.unwrap().unwrap();
    let (keys, values): (Vec<String>, Vec<PastValue>) = newest.metadata().into_iter().unzip();
    assert_eq!(keys, ["number", "amount", "due_date", "page", "plan", "renewed"]);
    assert_eq!(values[1], PastValue::Money(Money::new(34_999, Currency::EUR)));
    assert_eq!(values[2], PastValue::Date(time(7)));
    assert_eq!(
        values[3],
        PastValue::RichLink { url: "https://example.com/7".into(), text: "seven".into() }
    );
    assert_eq!(values[5], PastValue::Boolean(false));
    let mut count = 1;
    while let Some(event) = events.next().await {
        event.unwrap();
        count += 1;
    }
    assert_eq!(count, 5);
}

#[tokio::test]
async fn summaries_count_what_was_sent_and_submitted() {
    let (_sandbox, transport) = crate::start(Sandbox::builder().know_everybody(true)).await;
    let (ada, now) = (Contact::user_id(42), Timestamp::now().unix_seconds());
    let at = |ago| Timestamp::from_unix_seconds(now - ago);
    let event = DynamicEvent::new("signed_up").unwrap();
    Tracker::new(transport.clone()).for_contact(ada.clone()).send_at(&event, at(9)).await.unwrap();
    let exported = EventSummary::new("report_exported", 12).with_first(at(1_000)).with_last(at(10));
    transport.submit_summaries(&ada, std::slice::from_ref(&exported)).await.unwrap();
    let mut summaries = transport.summaries(&ada).await.unwrap();
    summaries.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(
        summaries,
        [exported, EventSummary::new("signed_up", 1).with_first(at(9)).with_last(at(9))]
    );
}

#[tokio::test]
async fn an_unknown_contact_differs_from_one_without_events() {
    let (_sandbox, transport) = crate::start(Sandbox::builder()).await;
    let ada = Contact::user_id(42);
    let error = transport.events(&ada).next().await.unwrap().unwrap_err();
    assert!(error.is_unknown_contact(), "{error}");
    intercom_core::Transport::create_contact(&transport, &ada).await.unwrap();
    assert!(transport.events(&ada).next().await.is_none());
}
