use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project.created")]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
