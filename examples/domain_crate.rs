//! Events in a crate of their own: `acme-events`, beside this file, declares what can happen at Acme and
//! depends on `intercom-core` alone. This program sends, and lists what there is to send.
//!
//! ```sh
//! cargo run --example domain_crate
//! ```

use std::error::Error;
use std::time::SystemTime;

use acme_events::{Billing, InvoicePaid, ProjectEvent};
use intercom_core::testing::RecordingTransport;
use intercom_core::{Currency, Money, Tracker};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("what can happen at Acme:\n");
    for event in acme_events::ACME.events() {
        println!("{}: {}", event.name, event.doc);
        for key in event.keys() {
            let optional = if key.optional { ", optional" } else { "" };
            println!("    {} ({:?}{optional}): {}", key.key, key.kind, key.doc);
        }
    }

    // In earnest this would be an `HttpTransport`; the events do not know the difference.
    let sent = RecordingTransport::new();
    let tracker = Tracker::new(sent.clone());
    tracker.send(&ProjectEvent::Created { owner: 42, project_id: 7, name: "Apollo" }).await?;
    tracker
        .send(&InvoicePaid {
            customer: "ada@example.com",
            amount: Money::new(34_999, Currency::EUR),
            due_date: Some(SystemTime::now()),
            billing: Billing { plan: "team", seats: 9 },
        })
        .await?;

    println!("\nwhat happened:\n");
    for event in sent.events() {
        println!("{}", String::from_utf8_lossy(event.body()));
    }
    Ok(())
}
