use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

#[derive(IntercomEvent)]
#[event(name = "PROJECT_CREATED")]
struct ProjectMade;

catalogue! { static ACME: ProjectCreated, ProjectMade }

fn main() {}
