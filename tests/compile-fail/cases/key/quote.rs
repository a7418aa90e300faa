use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(rename = "the \"id\"")]
    project_id: u64,
}

fn main() {}
