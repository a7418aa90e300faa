//! Starts a series in Intercom because an amount was large, which Intercom's own rules cannot do.
//!
//! ```sh
//! cargo run --example event_rules
//! ```
//!
//! Intercom's rules see an event's name and never its metadata. So nobody can ask them for *an invoice over 1,000 EUR,
//! unless the plan is free*. A rule here asks that before the event is sent, and sends a second event by another name.
//! In Intercom the series starts on that name.

use std::error::Error;
use std::time::Duration;

use intercom_core::{Contact, Currency, DataEvent, IntercomEvent, Money, Timestamp, catalogue};
use intercom_delivery::Delivery;
use intercom_http::HttpTransport;
use intercom_rules::Rules;
use intercom_sandbox::Sandbox;

/// A customer paid an invoice.
#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid {
    #[event(user_id)]
    customer: u64,
    amount: Money,
    plan: &'static str,
    #[event(sensitive)]
    reference: &'static str,
}

/// A customer who is worth a call paid an invoice.
#[derive(IntercomEvent)]
#[event(name = "big_invoice_paid")]
struct BigInvoicePaid {
    amount: Money,
    plan: &'static str,
}

catalogue! {
    /// What happens at Acme.
    static ACME: InvoicePaid, BigInvoicePaid
}

/// In earnest this is a file that whoever builds the series can edit.
const RULES: &str = r#"
[[rule]]
name = "big invoices"
on = "invoice_paid"
when = { amount = { at_least = "1000.00 EUR" }, plan = { not = "free" } }
also_send = { name = "big_invoice_paid", keys = ["amount", "plan"] }

[[rule]]
name = "free plans"
on = "invoice_paid"
when = { plan = "free" }
drop = true
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // What can never hold is refused here, and not found out when no series starts.
    let wrong = RULES.replace("at_least = \"1000.00 EUR\"", "at_least = 1000");
    if let Err(error) = Rules::from_toml(&wrong, &ACME) {
        println!("-- rules that are wrong are refused when they are loaded:\n{error}");
    }
    let rules = Rules::from_toml(RULES, &ACME)?;

    let invoices = [
        InvoicePaid { customer: 1, amount: euros(1500), plan: "pro", reference: "A-1" },
        InvoicePaid { customer: 2, amount: euros(20), plan: "pro", reference: "A-2" },
        InvoicePaid { customer: 3, amount: euros(1500), plan: "free", reference: "A-3" },
    ];
    for paid in &invoices {
        // `DataEvent` is the encoded event. The explanation has no value of it.
        let event = DataEvent::new(paid, Contact::user_id(paid.customer), Timestamp::now())?;
        println!(
            "\n-- {} of customer {}:\n{}",
            event.event_name(),
            paid.customer,
            rules.explain(&event)
        );
    }

    // A local Intercom. The delivery applies the rules to each event once, before its first attempt.
    let sandbox = Sandbox::builder().know_everybody(true).start().await?;
    let transport = HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build()?;
    let delivery = Delivery::builder(transport).rules(rules).start()?;
    let tracker = delivery.tracker();
    for paid in &invoices {
        tracker.send(paid).await?;
    }
    println!("\n-- {}", delivery.flush(Duration::from_secs(30)).await);
    println!("{}", delivery.ledger().await?);
    for (rule, count) in delivery.dropped_by_rule() {
        println!("dropped by the rule `{rule}`: {count}");
    }
    println!("{}", delivery.shutdown(Duration::from_secs(30)).await);

    println!("\n-- what Intercom has:");
    let mut names = Vec::new();
    for event in sandbox.events() {
        println!("{}", String::from_utf8_lossy(event.body()));
        names.push(event.name().to_owned());
    }
    names.sort();
    match names[..] == ["big_invoice_paid", "invoice_paid", "invoice_paid"] {
        true => Ok(()),
        false => Err("the rules sent other events".into()),
    }
}

fn euros(amount: i64) -> Money {
    Money::new(amount * 100, Currency::EUR)
}
