use intercom_core::{IntercomEvent, Timestamp};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(truncate)]
    created_date: Timestamp,
}

fn main() {}
