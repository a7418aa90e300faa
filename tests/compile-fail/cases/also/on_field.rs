use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid {
    #[event(also = big_invoice)]
    cents: u64,
}

fn main() {}
