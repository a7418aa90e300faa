//! Documentation and schemas.

use std::fs;
use std::panic::catch_unwind;
use std::time::SystemTime;

use expect_test::expect;
use intercom_catalogue::{Lock, MarkdownError, Plan};
use intercom_core::{
    Contact, Currency, DataEvent, DynamicEvent, IntercomEvent, Money, RichLink, Timestamp,
};
use serde_json::{Value, json};

use crate::{BigInvoicePaid, InvoicePaid, Means, PlanKeys, billing};

#[test]
fn markdown_has_a_section_an_event_and_a_line_a_key() {
    expect![[r#"
        What happens here.

        ### `Big invoice paid`

        A large one.

        The caller chooses its contact.

        | key | kind | meaning |
        |---|---|---|
        | `share` | number |  |

        ### `invoice_paid`

        A customer paid
        an invoice.

        Sent once an invoice.

        Its contact comes from its user id and its email address. It has a time of its own. It can send `Big invoice paid` too. It was `invoice_settled` before.

        | key | kind | meaning |
        |---|---|---|
        | `amount` | money | What was paid. |
        | `due_date` | date, optional |  |
        | `note` | text, cut at 255 characters, sensitive |  |
        | `receipt` | rich link |  |
        | `plan` | text, optional | Its "name" \| label. |
        | `yearly` | boolean, optional |  |
        | `paid_by` | one of `card` `bank transfer`, optional |  |
    "#]]
    .assert_eq(&billing().to_markdown());
}

#[test]
fn an_export_replaces_what_is_between_its_markers() {
    let plan = Lock::parse("version 1\nevent a").unwrap();
    let plan = plan.plan();
    let text = "# Events\n\n<!-- events -->\nold\n<!-- /events -->\n\nMore.\n";
    let updated = plan.update_markdown(text).unwrap();
    assert_eq!(
        updated,
        "# Events\n\n<!-- events -->\n\n### `a`\n\nThe caller chooses its contact.\n\n<!-- /events -->\n\nMore.\n"
    );
    assert_eq!(plan.update_markdown(&updated).unwrap(), updated);
    for text in [
        "",
        "<!-- events -->\n",
        "<!-- /events -->\n<!-- events -->\n",
        "<!-- events -->\n<!-- events -->\n<!-- /events -->\n",
        "in a line <!-- events -->\n<!-- /events -->\n",
    ] {
        assert!(matches!(plan.update_markdown(text), Err(MarkdownError::MissingMarkers)), "{text}");
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("EVENTS.md");
    fs::write(&path, text).unwrap();
    let panic = catch_unwind(|| plan.assert_markdown(&path)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("UPDATE_EVENTS_LOCK=1 cargo test"), "{message}");
    fs::write(&path, updated).unwrap();
    plan.assert_markdown(&path);
}

fn sent(event: &impl IntercomEvent, contact: Contact) -> Vec<Value> {
    let event =
        DataEvent::new(event, contact, Timestamp::from_unix_seconds(1_700_000_000)).unwrap();
    let (event, derived) = event.split_derived();
    [event].iter().chain(&derived).map(DataEvent::to_json).collect()
}

fn paid(amount: i64) -> InvoicePaid<'static> {
    InvoicePaid {
        customer: "ada@example.com",
        id: Some(42),
        at: SystemTime::now(),
        amount: Money::new(amount, Currency::EUR),
        due_date: Some(SystemTime::now()),
        note: "thanks",
        receipt: RichLink::new("https://example.com/7", "Receipt"),
        plan: Some(PlanKeys { plan: "team".into(), yearly: true }),
        paid_by: Some([Means::Card, Means::Terminal, Means::Transfer][(amount % 3) as usize]),
    }
}

#[test]
fn the_schema_accepts_only_sent_bodies() {
    let schema = billing().to_json_schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let ada = || Contact::email("ada@example.com");
    let mut bodies = sent(&paid(200), ada().with_user_id(42));
    assert_eq!(bodies.len(), 2, "with the derived one");
    bodies.extend(sent(&InvoicePaid { due_date: None, plan: None, ..paid(1) }, ada()));
    bodies.extend(sent(&BigInvoicePaid { share: -0.25 }, Contact::contact_id("5ba682d2")));
    for body in &bodies {
        assert!(validator.is_valid(body), "{body}");
    }

    let spoilt: &[(&str, Value)] = &[
        ("/event_name", json!("invoice_lost")),
        ("/created_at", json!("1700000000")),
        ("/email", Value::Null),
        ("/metadata", json!({})),
        ("/metadata/amount", json!(200)),
        ("/metadata/amount/currency", json!("EUR")),
        ("/metadata/due_date", json!(1.5)),
        ("/metadata/note", json!("x".repeat(256))),
        ("/metadata/receipt/url", json!("ftp://example.com")),
        ("/metadata/yearly", json!("yes")),
        ("/metadata/paid_by", json!("cheque")),
    ];
    for (pointer, value) in spoilt {
        let mut body = bodies[0].clone();
        *body.pointer_mut(pointer).unwrap() = value.clone();
        assert!(!validator.is_valid(&body), "{pointer} {value}");
    }
    for missing in ["amount", "note", "receipt"] {
        let mut body = bodies[0].clone();
        body["metadata"].as_object_mut().unwrap().remove(missing);
        assert!(!validator.is_valid(&body), "without {missing}");
    }
    let other = DynamicEvent::new("invoice_paid").unwrap().with("other", 1).unwrap();
    assert!(!validator.is_valid(&sent(&other, ada())[0]));
}

#[test]
fn the_schema_of_a_lock_differs_from_its_plans_only_in_documentation() {
    let lock = Lock::parse(&billing().lock().to_string()).unwrap();
    let validator = jsonschema::draft202012::new(&lock.plan().to_json_schema()).unwrap();
    for body in sent(&paid(200), Contact::user_id(1)) {
        assert!(validator.is_valid(&body), "{body}");
    }
    let acme = Plan::of(&acme_events::ACME).to_json_schema();
    assert_eq!(acme["title"], "ACME");
    assert_eq!(
        acme["$defs"]["invoice_paid"]["properties"]["metadata"]["required"],
        json!(["amount", "plan", "seats"])
    );
}
