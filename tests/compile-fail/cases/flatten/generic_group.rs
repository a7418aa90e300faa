use intercom_core::{EventMetadata, IntercomEvent};

#[derive(EventMetadata)]
struct Billing<T> {
    plan: T,
    seats: u32,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated<T> {
    #[event(flatten)]
    billing: Billing<T>,
}

fn main() {}
