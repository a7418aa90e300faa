use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
#[event(name = "project_made")]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
