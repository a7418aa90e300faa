use intercom_core::EventMetadata;

#[derive(EventMetadata)]
struct Billing;

fn main() {}
