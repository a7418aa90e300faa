use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(nmae = "project_created")]
struct ProjectCreated;

catalogue! { static ACME: ProjectCreated }

fn main() {}
