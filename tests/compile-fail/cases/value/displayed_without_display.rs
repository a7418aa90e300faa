use intercom_core::IntercomEvent;

struct Owner;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(display)]
    owner: Owner,
}

fn main() {}
