use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(user_id, skip)]
    project_id: u64,
}

fn main() {}
