use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project")]
enum Project {
    #[event(name = "project_created")]
    Created { project_id: u64 },
}

fn main() {}
