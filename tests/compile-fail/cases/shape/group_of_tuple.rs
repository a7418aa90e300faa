use intercom_core::EventMetadata;

#[derive(EventMetadata)]
struct Billing(String);

fn main() {}
