use intercom_core::EventMetadata;

#[derive(EventMetadata)]
struct Billing {
    #[event(user_id)]
    customer: String,
}

fn main() {}
