use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    created_date: String,
}

fn main() {}
