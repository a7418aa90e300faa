use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "invoice_paid", also = "big_invoice")]
struct InvoicePaid {
    cents: u64,
}

fn main() {}
