//! A catalogue, and events of it.

use intercom_core::{
    Contact, Currency, DataEvent, DynamicEvent, IntercomEvent, MetadataValue, Money, RichLink,
    Timestamp, catalogue,
};

/// How somebody pays.
#[derive(Clone, Copy, MetadataValue)]
#[event(rename_all = "lowercase")]
#[expect(dead_code, reason = "a rule compares with it")]
pub(crate) enum Means {
    Card,
    #[event(rename = "Bank Transfer")]
    Transfer,
}

#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
pub(crate) struct InvoicePaid {
    pub(crate) amount: Money,
    pub(crate) plan: String,
    pub(crate) seats: u32,
    pub(crate) discount: f64,
    pub(crate) first: bool,
    pub(crate) coupon: Option<String>,
    pub(crate) due_date: Timestamp,
    pub(crate) invoice: RichLink,
    pub(crate) paid_by: Means,
}

#[derive(IntercomEvent)]
#[event(name = "big_invoice_paid")]
pub(crate) struct BigInvoicePaid {
    pub(crate) amount: Money,
    pub(crate) plan: String,
    pub(crate) seats: u32,
    pub(crate) discount: f64,
    pub(crate) first: bool,
    pub(crate) coupon: Option<String>,
    pub(crate) due_date: Timestamp,
    pub(crate) invoice: RichLink,
    pub(crate) paid_by: Means,
}

/// Has any key of an invoice, as an option.
#[derive(IntercomEvent)]
#[event(name = "signed_up")]
#[derive(Default)]
pub(crate) struct SignedUp {
    pub(crate) amount: Option<Money>,
    pub(crate) plan: Option<String>,
    pub(crate) seats: Option<u32>,
    pub(crate) discount: Option<f64>,
    pub(crate) first: Option<bool>,
    pub(crate) coupon: Option<String>,
    pub(crate) due_date: Option<Timestamp>,
    pub(crate) invoice: Option<RichLink>,
    pub(crate) paid_by: Option<Means>,
}

catalogue! {
    /// The events of Acme.
    pub(crate) static ACME: InvoicePaid, BigInvoicePaid, SignedUp
}

/// 2026-01-31.
pub(crate) const DUE: Timestamp = Timestamp::from_unix_seconds(1_769_817_600);

pub(crate) fn paid() -> InvoicePaid {
    InvoicePaid {
        amount: Money::new(150_000, Currency::EUR),
        plan: "Größe \"XL\"".into(),
        seats: 12,
        discount: 0.25,
        first: true,
        coupon: None,
        due_date: DUE,
        invoice: RichLink::new("https://acme.example/invoices/7", "No. 7"),
        paid_by: Means::Transfer,
    }
}

pub(crate) fn data(event: &impl IntercomEvent) -> DataEvent {
    let contact = Contact::user_id(42).with_email("ada@example.com");
    DataEvent::new(event, contact, Timestamp::from_unix_seconds(1_770_000_000)).unwrap()
}

pub(crate) fn dynamic(name: &str) -> DataEvent {
    data(&DynamicEvent::new(name).unwrap())
}
