use intercom_core::EventMetadata;

#[derive(EventMetadata)]
enum Billing {
    Free,
}

fn main() {}
