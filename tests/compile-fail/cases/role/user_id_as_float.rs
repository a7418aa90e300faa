use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(user_id)]
    user: f64,
}

fn main() {}
