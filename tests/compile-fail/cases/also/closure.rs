use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "invoice_paid", also = |paid| Some(paid))]
struct InvoicePaid {
    cents: u64,
}

fn main() {}
