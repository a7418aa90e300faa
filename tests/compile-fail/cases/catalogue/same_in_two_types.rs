use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectMade;

catalogue! { static ACME: ProjectCreated, ProjectMade }

fn main() {}
