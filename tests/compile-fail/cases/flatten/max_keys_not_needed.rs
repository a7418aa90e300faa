use intercom_core::{EventMetadata, IntercomEvent};

#[derive(EventMetadata)]
struct Billing {
    plan: String,
    seats: u32,
}

#[derive(IntercomEvent)]
#[event(name = "project_created", max_keys = 12)]
struct ProjectCreated {
    project_id: u64,
    #[event(flatten)]
    billing: Billing,
}

fn main() {}
