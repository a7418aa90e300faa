use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(display, with = to_text)]
    project_id: u64,
}

fn main() {}
