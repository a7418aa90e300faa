use intercom_core::IntercomEvent;

fn minutes(seconds: &u64) -> u64 {
    seconds / 60
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(with = minutes)]
    project_name: String,
}

fn main() {}
