use intercom_core::Contact;

fn contact(id: Option<u64>) -> Contact {
    Contact::user_id(id)
}

fn main() {}
