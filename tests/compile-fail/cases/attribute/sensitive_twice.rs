use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "letter_sent")]
struct LetterSent {
    #[event(sensitive, rename = "address", sensitive)]
    street: String,
}

fn main() {}
