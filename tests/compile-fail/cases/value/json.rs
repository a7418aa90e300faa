use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    value: serde_json::Value,
}

fn main() {}
