use intercom_core::{EventMetadata, IntercomEvent};

#[derive(EventMetadata)]
struct Billing {
    #[event(renam = "tariff")]
    plan: String,
    seats: u32,
}

#[derive(IntercomEvent)]
#[event(name = "project_created", max_keys = 12)]
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
    #[event(flatten)]
    billing: Billing,
}

fn main() {}
