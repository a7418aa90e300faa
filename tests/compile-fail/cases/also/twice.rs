use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "invoice_paid", also = big_invoice, also = big_invoice)]
struct InvoicePaid {
    cents: u64,
}

#[derive(IntercomEvent)]
#[event(name = "big_invoice_paid")]
struct BigInvoicePaid {
    cents: u64,
}

fn big_invoice(paid: &InvoicePaid) -> Option<BigInvoicePaid> {
    Some(BigInvoicePaid { cents: paid.cents })
}

fn main() {}
