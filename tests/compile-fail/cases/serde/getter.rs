use intercom_core::IntercomEvent;
use serde::Serialize;

pub struct Project {
    id: u64,
}

impl Project {
    fn id(&self) -> u64 {
        self.id + 1
    }
}

#[derive(IntercomEvent, Serialize)]
#[event(name = "project_created")]
#[serde(remote = "Project")]
struct ProjectCreated {
    #[serde(getter = "Project::id")]
    id: u64,
}

fn main() {}
