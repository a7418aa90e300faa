use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_")]
struct ProjectCreated {
    project_id: u64,
}

fn main() {}
