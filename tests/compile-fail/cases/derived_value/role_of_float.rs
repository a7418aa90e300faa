use intercom_core::{Contact, IntercomEvent, MetadataValue};

#[derive(MetadataValue)]
struct Share(f64);

#[derive(IntercomEvent)]
#[event(name = "share_changed")]
struct ShareChanged {
    #[event(user_id)]
    share: Share,
}

fn contact(share: Share) -> Contact {
    Contact::user_id(share)
}

fn main() {}
