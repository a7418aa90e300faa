use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(email)]
    email: u64,
}

fn main() {}
