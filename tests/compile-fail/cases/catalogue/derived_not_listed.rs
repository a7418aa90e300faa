use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "invoice_paid", also = big)]
struct InvoicePaid;

#[derive(IntercomEvent)]
#[event(name = "big_invoice_paid")]
struct BigInvoicePaid;

fn big(_: &InvoicePaid) -> Option<BigInvoicePaid> {
    Some(BigInvoicePaid)
}

catalogue! { static ACME: InvoicePaid }

fn main() {}
