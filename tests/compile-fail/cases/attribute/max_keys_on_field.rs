use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(max_keys = 20)]
    project_id: u64,
}

fn main() {}
