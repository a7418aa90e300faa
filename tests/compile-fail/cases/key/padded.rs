use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(rename = "created_date ")]
    created: u64,
}

fn main() {}
