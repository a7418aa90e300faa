use intercom_core::{IntercomEvent, MetadataValue};

#[derive(IntercomEvent, MetadataValue)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
