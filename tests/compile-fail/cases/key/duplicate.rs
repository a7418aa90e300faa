use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    id: u64,
    #[event(rename = "id")]
    project_id: u64,
}

fn main() {}
