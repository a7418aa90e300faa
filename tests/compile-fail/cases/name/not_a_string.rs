use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = 7)]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
