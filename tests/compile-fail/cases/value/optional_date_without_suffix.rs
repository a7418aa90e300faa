use intercom_core::{IntercomEvent, Timestamp};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    due: Option<Timestamp>,
}

fn main() {}
