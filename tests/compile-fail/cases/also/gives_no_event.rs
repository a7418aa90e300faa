use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "invoice_paid", also = big_invoice)]
struct InvoicePaid {
    cents: u64,
}

fn big_invoice(paid: &InvoicePaid) -> Option<bool> {
    Some(paid.cents > 100_000)
}

fn main() {}
