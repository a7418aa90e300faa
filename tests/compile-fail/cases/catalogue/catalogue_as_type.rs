use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

#[derive(IntercomEvent)]
#[event(name = "project_made")]
struct ProjectMade;

catalogue! { static OTHER: ProjectMade }
catalogue! { static ACME: ProjectCreated, OTHER }

fn main() {}
