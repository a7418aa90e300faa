use intercom_core::IntercomEvent;

struct User {
    id: u64,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(user_id)]
    user: User,
}

fn main() {}
