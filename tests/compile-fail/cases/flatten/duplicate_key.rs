use intercom_core::{EventMetadata, IntercomEvent};

#[derive(EventMetadata)]
struct Billing {
    plan: String,
    seats: u32,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    plan: String,
    #[event(flatten)]
    billing: Billing,
}

fn main() {}
