use intercom_core::{EventMetadata, IntercomEvent};

#[derive(EventMetadata)]
struct Billing {
    plan: String,
    seats: u32,
}

#[derive(EventMetadata)]
struct Account {
    #[event(flatten)]
    billing: Billing,
    name: String,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    seats: u32,
    #[event(flatten)]
    account: Account,
}

fn main() {}
