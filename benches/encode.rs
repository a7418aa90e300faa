//! Encoding an event into the body of its request, against plain serde.
//!
//! Measures `DataEvent::new` with a shared contact, as every `send` of a tracker calls it, until
//! the drop of the encoded event.
//!
//! The baselines write the same bytes (asserted first), from a struct of borrowed fields that
//! derives `Serialize`:
//!   - plain serde into a reused buffer: `serde_json::to_writer` into a cleared `Vec`. This is the
//!     least that serde can cost, and its result cannot be sent.
//!   - the same, then copied into `Bytes`, which can be sent, as the result of `DataEvent::new`
//!     can.
//!   - `serde_json::json!` and `to_vec`, without a type for the event.
//!
//! Bounds: at most 1.1 of the CPU time of plain serde into a reused buffer; exactly one allocation
//! (the body itself) and no reallocation.
//!
//! Command: `cargo bench -p benches --bench encode`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::process::ExitCode;

use benches::{Bound, Cost, Cpu, Report, Rounds, count_allocations, in_turn, nanoseconds, table};
use bytes::Bytes;
use intercom_core::{Contact, Currency, DataEvent, IntercomEvent, Money, RichLink, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

const ROUNDS: usize = 3000;
const EVENTS_A_ROUND: usize = 400;

const CREATED_AT: i64 = 1_700_000_000;
const EMAIL: &str = "ada@example.com";

/// The two fields of the usual example.
#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
    project_name: String,
}

/// Ten fields of all kinds.
#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid {
    invoice_id: u64,
    seats: i32,
    discount: f64,
    plan: String,
    channel: &'static str,
    first_invoice: bool,
    coupon: Option<String>,
    due_date: Timestamp,
    total: Money,
    invoice: RichLink,
}

/// The body of a request, as plain serde sees it.
#[derive(Serialize)]
struct Envelope<'a, M> {
    event_name: &'a str,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    metadata: M,
}

impl<'a, M> Envelope<'a, M> {
    fn new(event_name: &'a str, metadata: M) -> Self {
        let (user_id, id) = (None, None);
        Envelope { event_name, created_at: CREATED_AT, user_id, email: Some(EMAIL), id, metadata }
    }
}

#[derive(Serialize)]
struct PlainProjectCreated<'a> {
    project_id: u64,
    project_name: &'a str,
}

#[derive(Serialize)]
struct PlainInvoicePaid<'a> {
    invoice_id: u64,
    seats: i32,
    discount: f64,
    plan: &'a str,
    channel: &'a str,
    first_invoice: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<&'a str>,
    due_date: i64,
    total: PlainMoney<'a>,
    invoice: PlainRichLink<'a>,
}

#[derive(Serialize)]
struct PlainMoney<'a> {
    amount: i64,
    currency: &'a str,
}

#[derive(Serialize)]
struct PlainRichLink<'a> {
    url: &'a str,
    value: &'a str,
}

fn main() -> ExitCode {
    let mut report = Report::from_args();
    two_fields(&mut report);
    ten_fields(&mut report);
    report.finish()
}

fn two_fields(report: &mut Report) {
    let event = ProjectCreated { project_id: 7, project_name: "Apollo".into() };
    let plain = PlainProjectCreated { project_id: 7, project_name: &event.project_name };
    let untyped = || {
        json!({
            "event_name": "project_created",
            "created_at": CREATED_AT,
            "email": EMAIL,
            "metadata": { "project_id": event.project_id, "project_name": event.project_name },
        })
    };
    compare(report, &event, &Envelope::new("project_created", plain), untyped);
}

fn ten_fields(report: &mut Report) {
    let event = InvoicePaid {
        invoice_id: 9_007_199_254,
        seats: 25,
        discount: 0.15,
        plan: "Team, billed yearly".into(),
        channel: "web",
        first_invoice: true,
        coupon: Some("SPRING \"26\"".into()),
        due_date: Timestamp::from_unix_seconds(1_702_592_000),
        total: Money::new(34_999, Currency::EUR),
        invoice: RichLink::new("https://example.com/invoices/9007199254", "Invoice 9007199254"),
    };
    let plain = PlainInvoicePaid {
        invoice_id: event.invoice_id,
        seats: event.seats,
        discount: event.discount,
        plan: &event.plan,
        channel: event.channel,
        first_invoice: event.first_invoice,
        coupon: event.coupon.as_deref(),
        due_date: event.due_date.unix_seconds(),
        total: PlainMoney { amount: event.total.amount(), currency: "eur" },
        invoice: PlainRichLink { url: event.invoice.url(), value: event.invoice.text() },
    };
    let untyped = || {
        json!({
            "event_name": "invoice_paid",
            "created_at": CREATED_AT,
            "email": EMAIL,
            "metadata": {
                "invoice_id": event.invoice_id,
                "seats": event.seats,
                "discount": event.discount,
                "plan": event.plan,
                "channel": event.channel,
                "first_invoice": event.first_invoice,
                "coupon": event.coupon,
                "due_date": event.due_date.unix_seconds(),
                "total": { "amount": event.total.amount(), "currency": "eur" },
                "invoice": { "url": event.invoice.url(), "value": event.invoice.text() },
            },
        })
    };
    compare(report, &event, &Envelope::new("invoice_paid", plain), untyped);
}

fn compare<E, P>(report: &mut Report, event: &E, plain: &P, untyped: impl Fn() -> Value)
where
    E: IntercomEvent,
    P: Serialize,
{
    const VALID: &str = "the event is valid";
    let contact = Contact::email(EMAIL);
    let time = Timestamp::from_unix_seconds(CREATED_AT);
    let mut buffer = Vec::new();

    let ours = || DataEvent::new(black_box(event), contact.clone(), time).expect(VALID);
    let write = |buffer: &mut Vec<u8>| {
        buffer.clear();
        serde_json::to_writer(buffer, black_box(plain)).expect(VALID);
    };
    let to_vec = || serde_json::to_vec(&untyped()).expect(VALID);

    let encoded = ours();
    write(&mut buffer);
    assert_eq!(encoded.body(), &buffer, "plain serde writes the same bytes");
    assert_eq!(encoded.to_json(), untyped(), "`json!` gives the same");

    let our_allocations = count(|| drop(black_box(ours())));
    let reused_allocations = count(|| write(&mut buffer));
    let copied_allocations = count(|| {
        write(&mut buffer);
        drop(black_box(Bytes::copy_from_slice(&buffer)));
    });
    let untyped_allocations = count(|| drop(black_box(to_vec())));

    let mut other_buffer = buffer.clone();
    let [ours, reused, copied, untyped] = in_turn(
        ROUNDS,
        [
            &mut || round(|| drop(black_box(ours()))),
            &mut || {
                round(|| {
                    write(&mut buffer);
                    black_box(&buffer);
                })
            },
            &mut || {
                round(|| {
                    write(&mut other_buffer);
                    drop(black_box(Bytes::copy_from_slice(&other_buffer)));
                })
            },
            &mut || round(|| drop(black_box(to_vec()))),
        ],
    );

    println!(
        "{}: {} bytes; {ROUNDS} rounds of {EVENTS_A_ROUND} events",
        encoded.event_name(),
        encoded.body().len(),
    );
    let row = |name: &str, rounds: &Rounds, allocations: Allocations| {
        [
            name.to_owned(),
            nanoseconds(rounds.median(cpu) / EVENTS_A_ROUND as f64),
            format!("{:.3}", rounds.ratio(&reused, cpu).median),
            format!("{:.2}", allocations.allocated),
            format!("{:.2}", allocations.reallocated),
        ]
    };
    table(
        ["", "an event", "ratio", "allocations", "reallocations"],
        &[
            row("DataEvent::new", &ours, our_allocations),
            row("plain serde, reused buffer", &reused, reused_allocations),
            row("plain serde, reused buffer, copied to Bytes", &copied, copied_allocations),
            row("serde_json::json! and to_vec", &untyped, untyped_allocations),
        ],
    );
    report.ratio(
        "CPU time to that of plain serde, reused buffer",
        ours.ratio(&reused, cpu),
        Bound::AtMost(1.1),
    );
    report.ratio(
        "CPU time to that of plain serde, copied to Bytes",
        ours.ratio(&copied, cpu),
        Bound::AtMost(1.1),
    );
    report.number("allocations", our_allocations.allocated, Bound::AtMost(1.0));
    report.number("reallocations", our_allocations.reallocated, Bound::AtMost(0.0));
    println!();
}

/// Encodes often enough for the clock's resolution.
fn round(mut encode: impl FnMut()) -> Cost {
    Cost::of(Cpu::Thread, || {
        for _ in 0..EVENTS_A_ROUND {
            encode();
        }
    })
}

#[derive(Clone, Copy)]
struct Allocations {
    allocated: f64,
    reallocated: f64,
}

/// The heap allocations of one event, as an average of many.
fn count(mut encode: impl FnMut()) -> Allocations {
    let all = count_allocations(|| (0..EVENTS_A_ROUND).for_each(|_| encode()));
    let an_event = |count: u64| count as f64 / EVENTS_A_ROUND as f64;
    Allocations { allocated: an_event(all.allocated), reallocated: an_event(all.reallocated) }
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu
}
