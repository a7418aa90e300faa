use intercom_core::{EventMetadata, IntercomEvent};
use serde::Serialize;

#[derive(EventMetadata, Serialize)]
struct Plan {
    seats: u32,
}

#[derive(IntercomEvent, Serialize)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[serde(flatten)]
    plan: Plan,
}

fn main() {}
