use intercom_core::EventMetadata;

#[derive(EventMetadata)]
#[event(name = "billing")]
struct Billing {
    plan: String,
}

fn main() {}
