use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
