use intercom_core::{IntercomEvent, Timestamp};

#[derive(IntercomEvent)]
#[event(name = "project_created", rename_all = "camelCase")]
struct ProjectCreated {
    created_date: Timestamp,
}

fn main() {}
