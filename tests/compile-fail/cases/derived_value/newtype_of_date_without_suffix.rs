use intercom_core::{IntercomEvent, MetadataValue, Timestamp};

#[derive(MetadataValue)]
struct Deadline(Timestamp);

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    deadline: Deadline,
}

fn main() {}
