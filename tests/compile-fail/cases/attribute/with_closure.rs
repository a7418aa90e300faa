use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(with = |name| name.len())]
    project_name: String,
}

fn main() {}
