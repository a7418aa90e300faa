use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
}

#[derive(IntercomEvent)]
#[event(name = "project_shared")]
struct ProjectShared {
    #[event(flatten)]
    created: ProjectCreated,
}

fn main() {}
