use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

catalogue! { static ACME: ProjectCreated, ProjectCreated }

fn main() {}
