use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created", max_keys = 20)]
struct ProjectCreated {
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
    key_12: u64,
    key_13: u64,
    key_14: u64,
    key_15: u64,
    key_16: u64,
    key_17: u64,
    key_18: u64,
    key_19: u64,
    key_20: u64,
    key_21: u64,
}

fn main() {}
