use intercom_core::{EventMetadata, IntercomEvent};
use serde::Serialize;

#[derive(EventMetadata, Serialize)]
struct Plan {
    seats: u32,
}

#[derive(IntercomEvent, Serialize)]
#[event(name = "plan_changed")]
#[serde(transparent)]
struct PlanChanged {
    plan: Plan,
}

fn main() {}
