use intercom_core::{EventMetadata, IntercomEvent};

#[derive(IntercomEvent, EventMetadata)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
