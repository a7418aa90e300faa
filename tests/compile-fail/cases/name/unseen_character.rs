use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project\u{200b}_created")]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
