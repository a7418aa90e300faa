use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(rename = "project\u{202e}id")]
    project_id: u64,
}

fn main() {}
