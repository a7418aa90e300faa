use intercom_core::EventMetadata;

#[derive(EventMetadata)]
struct Plan {
    #[event(rename = "de\u{301}but")]
    begin: u64,
}

fn main() {}
