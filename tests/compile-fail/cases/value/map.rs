use intercom_core::IntercomEvent;

use std::collections::HashMap;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    value: HashMap<String, u64>,
}

fn main() {}
