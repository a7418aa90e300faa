use intercom_core::IntercomEvent;

use std::time::SystemTime;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    created: SystemTime,
}

fn main() {}
