use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
enum Project {
    #[event(name = "project_created")]
    Created { project_id: u64 },
    #[event(name = "project_created")]
    Deleted { project_id: u64 },
}

fn main() {}
