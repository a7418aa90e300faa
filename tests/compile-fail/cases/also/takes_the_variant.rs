use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
enum Invoice {
    #[event(name = "invoice_paid", also = big_invoice)]
    Paid { cents: u64 },
}

#[derive(IntercomEvent)]
#[event(name = "big_invoice_paid")]
struct BigInvoicePaid {
    cents: u64,
}

fn big_invoice(cents: &u64) -> Option<BigInvoicePaid> {
    Some(BigInvoicePaid { cents: *cents })
}

fn main() {}
