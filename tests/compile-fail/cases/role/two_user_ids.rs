use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(user_id)]
    owner: u64,
    #[event(user_id)]
    author: u64,
}

fn main() {}
