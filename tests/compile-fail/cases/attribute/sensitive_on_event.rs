use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "letter_sent", sensitive)]
struct LetterSent {
    street: String,
}

fn main() {}
