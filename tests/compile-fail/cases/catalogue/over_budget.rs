use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

#[derive(IntercomEvent)]
#[event(name = "project_made")]
struct ProjectMade;

catalogue! {
    #[budget(1)]
    static ACME: ProjectCreated, ProjectMade
}

fn main() {}
