use intercom_core::MetadataValue;

#[derive(MetadataValue)]
enum Plan {
    Free,
    Team { seats: u32 },
    Enterprise(String),
}

fn main() {}
