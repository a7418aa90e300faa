use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

catalogue! { const ACME: ProjectCreated }

fn main() {}
