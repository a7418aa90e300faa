use intercom_core::{EventMetadata, IntercomEvent};
use serde::Serialize;

#[derive(IntercomEvent, Serialize)]
#[event(name = "project_created")]
#[serde(rename_all = "camelCase")]
struct ProjectCreated {
    id: u64,
    project_name: String,
}

#[derive(EventMetadata, Serialize)]
#[serde(rename_all(serialize = "kebab-case"))]
struct Plan {
    seats_used: u32,
}

fn main() {}
