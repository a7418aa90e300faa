//! Tests of `intercom-catalogue` through its public API.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod changes;
mod exports;
mod files;
mod histories;
mod lock;
mod properties;
mod sources;

use intercom_catalogue::Plan;
use intercom_core::{EventMetadata, IntercomEvent, MetadataValue, Money, RichLink, catalogue};

/// A customer paid
/// an invoice.
///
/// Sent once an invoice.
#[derive(IntercomEvent)]
#[event(name = "invoice_paid", also = big, was = "invoice_settled")]
struct InvoicePaid<'a> {
    #[event(email)]
    customer: &'a str,
    #[event(user_id)]
    id: Option<u64>,
    #[event(created_at)]
    at: std::time::SystemTime,
    /// What was paid.
    amount: Money,
    due_date: Option<std::time::SystemTime>,
    #[event(truncate, sensitive)]
    note: &'a str,
    receipt: RichLink,
    #[event(flatten)]
    plan: Option<PlanKeys>,
    paid_by: Option<Means>,
}

/// How somebody pays.
#[derive(Clone, Copy, MetadataValue)]
#[event(rename_all = "lowercase")]
enum Means {
    Card,
    #[event(rename = "bank transfer")]
    Transfer,
    #[event(rename = "card")]
    Terminal,
}

/// What a customer pays for.
#[derive(EventMetadata)]
struct PlanKeys {
    /// Its "name" | label.
    plan: String,
    yearly: bool,
}

/// A large one.
#[derive(IntercomEvent)]
#[event(name = "Big invoice paid")]
struct BigInvoicePaid {
    share: f64,
}

fn big(paid: &InvoicePaid<'_>) -> Option<BigInvoicePaid> {
    (paid.amount.amount() > 100).then_some(BigInvoicePaid { share: 0.5 })
}

mod acme {
    intercom_core::catalogue! { pub(super) static OF_ANOTHER_CRATE: ..acme_events::ACME }
}

catalogue! {
    /// What happens here.
    static BILLING: InvoicePaid<'_>, BigInvoicePaid
}

fn billing() -> Plan {
    Plan::of(&BILLING)
}

#[test]
fn a_catalogue_of_another_crate_is_a_constant_too() {
    let plan = Plan::of(&acme::OF_ANOTHER_CRATE);
    let names: Vec<_> = plan.events().iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["invoice_paid", "project_created", "project_deleted"]);
}
