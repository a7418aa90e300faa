use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event("project_created")]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
