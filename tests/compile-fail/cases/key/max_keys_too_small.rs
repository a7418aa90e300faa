use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created", max_keys = 10)]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
