use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name)]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
