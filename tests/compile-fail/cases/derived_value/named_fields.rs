use intercom_core::MetadataValue;

#[derive(MetadataValue)]
struct Owner {
    name: String,
}

fn main() {}
