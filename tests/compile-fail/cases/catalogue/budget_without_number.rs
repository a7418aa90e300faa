use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

catalogue! {
    #[budget = 90]
    static ACME: ProjectCreated
}

fn main() {}
