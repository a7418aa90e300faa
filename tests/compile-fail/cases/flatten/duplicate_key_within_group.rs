use intercom_core::EventMetadata;

#[derive(EventMetadata)]
struct Billing {
    plan: String,
    seats: u32,
}

#[derive(EventMetadata)]
struct Account {
    plan: String,
    #[event(flatten)]
    billing: Billing,
}

fn main() {}
