use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

#[derive(IntercomEvent)]
#[event(name = "project_made")]
struct ProjectMade;

mod other {
    intercom_core::catalogue! { pub static OTHER: super::ProjectCreated }
}

catalogue! { static ACME: ProjectMade, ProjectCreated, ..other::OTHER }

fn main() {}
