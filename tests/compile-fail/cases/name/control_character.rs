use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project\ncreated")]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
