use intercom_core::IntercomEvent;

const NAME: &str = "project_created";

#[derive(IntercomEvent)]
#[event(name = NAME)]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
