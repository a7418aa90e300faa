use intercom_core::IntercomEvent;

struct Owner {
    name: String,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    owner: Option<Owner>,
}

fn main() {}
