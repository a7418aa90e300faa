use intercom_core::MetadataValue;

#[derive(MetadataValue)]
union Bits {
    number: u32,
    float: f32,
}

fn main() {}
