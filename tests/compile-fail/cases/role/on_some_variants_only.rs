use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
enum Project {
    #[event(name = "project_created")]
    Created {
        #[event(user_id)]
        user: u64,
    },
    #[event(name = "project_deleted")]
    Deleted { project_id: u64 },
}

fn main() {}
