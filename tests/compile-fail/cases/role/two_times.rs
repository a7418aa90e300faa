use intercom_core::IntercomEvent;

use std::time::SystemTime;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(created_at)]
    begun: SystemTime,
    #[event(created_at)]
    ended: SystemTime,
}

fn main() {}
