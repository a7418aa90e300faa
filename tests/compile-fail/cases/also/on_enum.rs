use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(also = big_invoice)]
enum Invoice {
    #[event(name = "invoice_paid")]
    Paid { cents: u64 },
}

#[derive(IntercomEvent)]
#[event(name = "big_invoice_paid")]
struct BigInvoicePaid {
    cents: u64,
}

fn big_invoice(_: &Invoice) -> Option<BigInvoicePaid> {
    None
}

fn main() {}
