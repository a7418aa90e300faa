//! The cost of applying rules to an encoded event, beside decoding its metadata.
//!
//! Measures `Rules::apply` on an event of ten keys, where no rule matches:
//!   - an event that no rule names, among rules on twenty others;
//!   - an event with one rule of five conditions, all of which must be evaluated.
//!
//! The baseline: `serde_json::from_slice::<serde_json::Value>` of the event's metadata. An
//! evaluation over parsed JSON would begin with it.
//!
//! Bounds: at most 0.1 of the baseline's CPU time without a rule, at most 1.0 with five conditions;
//! no allocation.
//!
//! Command: `cargo bench -p benches --bench rules`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::process::ExitCode;

use benches::{Bound, Cost, Cpu, Report, Rounds, count_allocations, in_turn, nanoseconds, table};
use intercom_core::{Contact, Currency, DataEvent, DynamicEvent, Money, Timestamp};
use intercom_rules::Rules;
use serde_json::{Value, json};

const ROUNDS: usize = 1000;
const EVENTS_A_ROUND: usize = 400;

const VALID: &str = "the event and the rules are valid";

fn main() -> ExitCode {
    let mut report = Report::from_args();
    let event = event();
    let metadata = event.metadata().expect(VALID).to_vec();
    let other = Rules::from_toml_unchecked(&other_rules()).expect(VALID);
    let five = Rules::from_toml_unchecked(FIVE_CONDITIONS).expect(VALID);
    assert!(five.explain(&event).rules[0].reasons[..4].iter().all(|reason| reason.holds));

    let without = || assert!(black_box(&other).apply(black_box(&event)).is_none());
    let with = || assert!(black_box(&five).apply(black_box(&event)).is_none());
    let decode = || {
        let value: Value = serde_json::from_slice(black_box(&metadata)).expect(VALID);
        drop(black_box(value));
    };
    let allocations = [count(without), count(with), count(decode)];
    let [without, with, decode] =
        in_turn(ROUNDS, [&mut || round(without), &mut || round(with), &mut || round(decode)]);
    println!("{} bytes of metadata; {ROUNDS} rounds of {EVENTS_A_ROUND} events", metadata.len());
    let row = |name: &str, rounds: &Rounds, allocations: f64| {
        [
            name.to_owned(),
            nanoseconds(rounds.median(cpu) / EVENTS_A_ROUND as f64),
            format!("{:.3}", rounds.ratio(&decode, cpu).median),
            format!("{allocations:.2}"),
        ]
    };
    table(
        ["", "an event", "ratio", "allocations"],
        &[
            row("no rule on the event", &without, allocations[0]),
            row("one rule of five conditions", &with, allocations[1]),
            row("serde_json::Value", &decode, allocations[2]),
        ],
    );
    report.ratio("CPU time without a rule", without.ratio(&decode, cpu), Bound::AtMost(0.1));
    report.ratio("CPU time with five conditions", with.ratio(&decode, cpu), Bound::AtMost(1.0));
    report.number("allocations without a rule", allocations[0], Bound::AtMost(0.0));
    report.number("allocations with five conditions", allocations[1], Bound::AtMost(0.0));
    report.finish()
}

/// Ten keys of all kinds.
fn event() -> DataEvent {
    let event = DynamicEvent::new("invoice_paid")
        .and_then(|event| event.with("invoice_id", 9_007_199_254_i64))
        .and_then(|event| event.with("seats", 25))
        .and_then(|event| event.with("discount", 0.15))
        .and_then(|event| event.with("plan", "Team, billed yearly"))
        .and_then(|event| event.with("channel", "web"))
        .and_then(|event| event.with("first_invoice", true))
        .and_then(|event| event.with("coupon", "SPRING 26"))
        .and_then(|event| event.with("due_date", Timestamp::from_unix_seconds(1_702_592_000)))
        .and_then(|event| event.with("total", Money::new(134_999, Currency::EUR)))
        .and_then(|event| {
            event.with(
                "invoice",
                json!({ "url": "https://example.com/invoices/7", "value": "No. 7" }),
            )
        });
    let (contact, time) = (Contact::user_id(42), Timestamp::from_unix_seconds(1_700_000_000));
    DataEvent::new(&event.expect(VALID), contact, time).expect(VALID)
}

/// Four conditions hold, and the last one does not.
const FIVE_CONDITIONS: &str = r#"
    [[rule]]
    on = "invoice_paid"
    also_send = "big_invoice_paid"
    when = { all = [
        { total = { at_least = "1000.00 EUR" } },
        { plan = { not = "free" } },
        { seats = { between = [5, 50] } },
        { first_invoice = true },
        { coupon = { contains = "WINTER" } },
    ] }
"#;

/// Rules on twenty other events.
fn other_rules() -> String {
    let rule = |number| {
        format!("[[rule]]\non = \"event_{number}\"\nwhen = {{ plan = \"pro\" }}\ndrop = true\n")
    };
    (0..20).map(rule).collect()
}

fn round(mut apply: impl FnMut()) -> Cost {
    Cost::of(Cpu::Thread, || {
        for _ in 0..EVENTS_A_ROUND {
            apply();
        }
    })
}

/// The heap allocations of one event, as an average of many.
fn count(mut apply: impl FnMut()) -> f64 {
    let all = count_allocations(|| (0..EVENTS_A_ROUND).for_each(|_| apply()));
    (all.allocated + all.reallocated) as f64 / EVENTS_A_ROUND as f64
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu
}
