use intercom_core::IntercomEvent;
use serde::Serialize;

#[derive(IntercomEvent, Serialize)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[serde(rename = "projectId", alias = "id")]
    project_id: u64,
    #[serde(rename(serialize = "projectName", deserialize = "name"))]
    project_name: String,
    #[serde(rename(deserialize = "numberOfSeats"))]
    seats: u32,
}

fn main() {}
