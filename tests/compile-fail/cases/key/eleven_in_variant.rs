use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
enum Project {
    #[event(name = "project_created")]
    Created {
        key_1: u64,
        key_2: u64,
        key_3: u64,
        key_4: u64,
        key_5: u64,
        key_6: u64,
        key_7: u64,
        key_8: u64,
        key_9: u64,
        key_10: u64,
        key_11: u64,
    },
}

fn main() {}
