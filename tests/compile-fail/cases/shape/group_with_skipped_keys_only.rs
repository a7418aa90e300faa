use intercom_core::EventMetadata;

#[derive(EventMetadata)]
struct Billing {
    #[event(skip)]
    plan: String,
}

fn main() {}
