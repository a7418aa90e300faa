//! What two events have in common that Intercom takes for one, but for their second.

use std::hash::Hasher;

use intercom_core::DataEvent;
use intercom_delivery::outbox::hash_folded;
use siphasher::sip::SipHasher13;

/// 64 bits of an event's contact and its name in lower case. It is stored, so it is the same in every version.
///
/// Should two different contacts or names agree in it and in their second, which is next to impossible, the later event
/// is moved by a second.
pub(crate) fn fingerprint(event: &DataEvent) -> i64 {
    let mut hasher = SipHasher13::new();
    hash_folded(event.name(), &mut hasher);
    let contact = event.contact();
    for identifier in [contact.as_user_id(), contact.as_contact_id()] {
        if let Some(identifier) = identifier {
            hasher.write(identifier.as_bytes());
        }
        hasher.write(&[END, identifier.is_some().into()]);
    }
    if let Some(email) = contact.as_email() {
        hash_folded(email, &mut hasher);
    }
    hasher.finish().cast_signed()
}

/// No byte of a text.
const END: u8 = 0xFF;

#[cfg(test)]
mod tests {
    use intercom_core::{Contact, DynamicEvent, Timestamp};

    use super::*;

    fn of(name: &str, contact: Contact) -> i64 {
        let event = DynamicEvent::new(name).unwrap();
        let event = DataEvent::new(&event, contact, Timestamp::from_unix_seconds(0)).unwrap();
        fingerprint(&event)
    }

    /// Another value would make events that are stored collide with nothing.
    #[test]
    fn it_is_the_same_in_every_version() {
        assert_eq!(of("project_created", Contact::user_id(42)), -9_077_249_458_366_700_123);
        assert_eq!(
            of("menü_geöffnet", Contact::email("ada@example.com")),
            -519_035_417_943_641_305
        );
    }

    #[test]
    fn case_makes_no_difference_in_names_and_addresses() {
        let ada = of("project_created", Contact::email("ada@example.com"));
        assert_eq!(ada, of("Project_Created", Contact::email("Ada@Example.com")));
        let long = "a_name_that_is_longer_than_the_sixty_four_bytes_that_are_folded_at_once";
        assert_eq!(of(long, Contact::user_id(1)), of(&long.to_uppercase(), Contact::user_id(1)));
        assert_eq!(of("MENÜ", Contact::user_id(1)), of("menü", Contact::user_id(1)));
    }

    #[test]
    fn one_kind_of_identifier_is_not_taken_for_another() {
        let all = [
            of("signed_up", Contact::user_id("a")),
            of("signed_up", Contact::contact_id("a")),
            of("signed_up", Contact::email("a")),
            of("signed_up", Contact::user_id("A")),
            of("signed_upa", Contact::user_id("b")),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one));
        }
    }
}
