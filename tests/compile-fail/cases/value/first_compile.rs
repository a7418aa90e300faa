use std::collections::HashMap;
use std::time::SystemTime;

use intercom_core::IntercomEvent;
use uuid::Uuid;

struct Owner {
    name: String,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: Uuid,
    owner: Owner,
    tags: Vec<String>,
    settings: HashMap<String, String>,
    deadline: SystemTime,
}

fn main() {}
