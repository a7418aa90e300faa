//! Contacts: identifiers, roles, precedence, and privacy.

use std::borrow::Cow;
use std::sync::Arc;

use intercom_core::contact::{ToEmail, ToUserId};
use intercom_core::testing::RecordingTransport;
use intercom_core::{
    Contact, ContactError, DataEvent, ErrorKind, IntercomEvent, InvalidEvent, Reason, Timestamp,
    Tracker,
};

#[derive(IntercomEvent)]
#[event(name = "signed_in")]
struct SignedIn;

fn body(contact: Contact) -> Result<String, InvalidEvent> {
    let event = DataEvent::new(&SignedIn, contact, Timestamp::from_unix_seconds(5))?;
    Ok(String::from_utf8(event.body().to_vec()).unwrap())
}

#[test]
fn identifiers_have_their_own_names_on_the_wire() {
    let start = r#"{"event_name":"signed_in","created_at":5"#;
    assert_eq!(body(Contact::user_id("1")).unwrap(), format!(r#"{start},"user_id":"1"}}"#));
    assert_eq!(body(Contact::email("a@b")).unwrap(), format!(r#"{start},"email":"a@b"}}"#));
    assert_eq!(body(Contact::contact_id("c")).unwrap(), format!(r#"{start},"id":"c"}}"#));
    let all = Contact::contact_id("c").with_email("a\"@b").with_user_id("1");
    assert_eq!(body(all).unwrap(), format!(r#"{start},"user_id":"1","email":"a\"@b","id":"c"}}"#));
}

#[test]
fn blank_identifiers_are_refused_before_any_io() {
    for (contact, which) in [
        (Contact::user_id(""), "user id"),
        (Contact::email(" \t"), "email"),
        (Contact::user_id("1").with_contact_id(""), "contact id"),
    ] {
        let error = body(contact).unwrap_err();
        assert_eq!(error.reason(), &Reason::Contact(ContactError::Blank { which }));
    }
}

/// Intercom finds no contact by such an email or contact id. A user id is the application's own,
/// and may have white space.
#[test]
fn white_space_around_an_email_or_contact_id_is_refused_before_any_io() {
    for (contact, which) in [
        (Contact::email(" ada@example.com "), "email"),
        (Contact::email("ada@example.com\n"), "email"),
        (Contact::user_id("1").with_email("\u{a0}ada@example.com"), "email"),
        (Contact::contact_id("c "), "contact id"),
    ] {
        let error = body(contact).unwrap_err();
        assert_eq!(error.reason(), &Reason::Contact(ContactError::Padded { which }));
        let advice = format!("the contact's {which} begins or ends with white space");
        let said = error.to_string();
        assert!(said.contains(&advice) && !said.contains("ada"), "{said}");
    }
    let padded = body(Contact::user_id(" 42 ")).unwrap();
    assert!(padded.contains(r#""user_id":" 42 ""#), "{padded}");
}

/// Most of them are an id in the wrong place. Intercom would not know the contact.
#[test]
fn an_email_without_an_at_sign_is_refused_before_any_io() {
    for contact in [Contact::email("ada"), Contact::user_id("1").with_email("42")] {
        let error = body(contact).unwrap_err();
        assert_eq!(error.reason(), &Reason::Contact(ContactError::NoAddress));
        assert!(error.to_string().contains("use it as the user id"), "{error}");
        assert!(!error.to_string().contains("ada"), "{error}");
    }
    body(Contact::email("ada@localhost")).unwrap();
    body(Contact::user_id("ada")).unwrap();
}

/// Each such identifier would match, or create, a different contact that looks the same.
#[test]
fn invisible_characters_are_refused_before_any_io() {
    for c in [
        '\u{200B}',
        '\u{FEFF}',
        '\0',
        '\u{202E}',
        '\n',
        '\u{AD}',
        '\u{2060}',
        '\u{3164}',
        '\u{E0041}',
    ] {
        let text = format!("ada{c}@example.com");
        for (contact, which) in [
            (Contact::user_id(text.as_str()), "user id"),
            (Contact::email(text.as_str()), "email"),
            (Contact::contact_id(text.as_str()), "contact id"),
        ] {
            let error = body(contact).unwrap_err();
            let reason = ContactError::InvisibleCharacter { which, character: c };
            assert_eq!(error.reason(), &Reason::Contact(reason), "{c:?}");
            assert!(
                !error.to_string().contains(c) && !error.to_string().contains("ada"),
                "{error}"
            );
        }
    }
    let alone = body(Contact::user_id("\u{200B}")).unwrap_err();
    assert!(alone.to_string().contains("U+200B"), "{alone}");
    // Letters of any script, and spaces within an id, are visible.
    for text in ["Ада", "名前", "Zoë Müller", "user 42", "🙂"] {
        body(Contact::user_id(text)).unwrap();
    }
}

#[test]
fn identifiers_have_255_characters_at_most() {
    let email = |text: String| Contact::email(text.replacen('é', "@", 1));
    for (filler, contact) in [("a", Contact::user_id as fn(String) -> Contact), ("é", email)] {
        body(contact(filler.repeat(255))).unwrap();
        let error = body(contact(filler.repeat(256))).unwrap_err();
        assert!(error.to_string().contains("has 256 characters, and may have 255"), "{error}");
    }
}

#[test]
fn many_types_name_a_contact() {
    let id: uuid::Uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap();
    assert_eq!(Contact::user_id(42).as_user_id(), Some("42"));
    assert_eq!(Contact::user_id(u128::MAX).as_user_id(), Some(u128::MAX.to_string().as_str()));
    assert_eq!(Contact::user_id(id).as_user_id(), Some("67e55044-10b1-426f-9247-bb680e5fe0c8"));
    assert_eq!(Contact::email(String::from("a@b")).as_email(), Some("a@b"));
    let text = String::from("a@b");
    assert_eq!(Contact::email(&text).with_contact_id(text).as_email(), Some("a@b"));
    assert_eq!(Contact::email(Cow::Borrowed("a@b")).as_email(), Some("a@b"));
    assert_eq!(Contact::contact_id(Box::<str>::from("c")).as_contact_id(), Some("c"));
    assert_eq!(Contact::contact_id(Arc::<str>::from("c")).as_contact_id(), Some("c"));
}

#[test]
fn a_custom_id_type_names_a_contact() {
    struct UserId(u64);

    impl ToUserId for UserId {
        fn to_user_id(&self) -> Arc<str> {
            format!("user-{}", self.0).into()
        }
    }

    #[derive(IntercomEvent)]
    #[event(name = "signed_in")]
    struct ById {
        #[event(user_id)]
        user: UserId,
    }

    assert_eq!(Contact::user_id(UserId(7)).as_user_id(), Some("user-7"));
    assert_eq!(ById { user: UserId(7) }.event_contact(), Some(Contact::user_id("user-7")));
}

#[derive(IntercomEvent)]
#[event(name = "invited")]
struct Invited<'a> {
    #[event(user_id)]
    user: Option<u64>,
    #[event(email)]
    address: Option<&'a str>,
    #[event(contact_id)]
    id: Option<String>,
    #[event(created_at)]
    at: Option<Timestamp>,
}

const NOBODY: Invited<'_> = Invited { user: None, address: None, id: None, at: None };

#[tokio::test]
async fn the_events_own_fields_win_as_a_whole() {
    let sent = RecordingTransport::new();
    let tracker = Tracker::new(sent.clone());
    let event = Invited { address: Some("own@example.com"), ..NOBODY };
    tracker.for_contact(Contact::user_id("given")).send(&event).await.unwrap();
    tracker.send(&event).await.unwrap();
    for event in sent.take() {
        assert_eq!(event.contact(), &Contact::email("own@example.com"));
    }
    tracker.for_contact(Contact::user_id("given")).send(&NOBODY).await.unwrap();
    assert_eq!(sent.take()[0].contact(), &Contact::user_id("given"));
}

#[tokio::test]
async fn roles_are_no_metadata() {
    let sent = RecordingTransport::new();
    let at = Some(Timestamp::from_unix_seconds(99));
    let event = Invited { user: Some(1), address: Some("a@b"), id: Some("c".into()), at };
    Tracker::new(sent.clone()).send(&event).await.unwrap();
    assert_eq!(
        sent.events()[0].body(),
        r#"{"event_name":"invited","created_at":99,"user_id":"1","email":"a@b","id":"c"}"#
    );
}

#[tokio::test]
async fn an_event_without_a_contact_fails_before_any_io() {
    let sent = RecordingTransport::new();
    let error = Tracker::new(sent.clone()).send(&NOBODY).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    assert_eq!(error.event_name().unwrap(), "invited");
    let reason = error.invalid_event().unwrap().reason();
    assert_eq!(reason, &Reason::Contact(ContactError::NoIdentifier));
    // An empty contact is no better.
    let tracker = Tracker::new(sent.clone()).for_contact(Contact::default());
    assert_eq!(
        tracker.send(&SignedIn).await.unwrap_err().to_string(),
        "not sent: event `signed_in`: the event has no contact: neither a role field nor the \
         caller sets a user id, email or contact id; send it with \
         `tracker.for_contact(Contact::email(…))`, for example"
    );
    assert!(sent.events().is_empty());
}

#[test]
fn no_output_shows_an_identifier() {
    let contact = Contact::email("ada@example.com").with_user_id("user-77").with_contact_id("c-99");
    let event = DataEvent::new(&SignedIn, contact.clone(), Timestamp::now()).unwrap();
    let tracker = Tracker::new(RecordingTransport::new());
    let shown = format!("{contact:?} {event:?} {:?}", tracker.for_contact(contact.clone()));
    for secret in ["ada", "example", "77", "99"] {
        let seconds = event.created_at().unix_seconds().to_string();
        assert!(!shown.replace(&seconds, "").contains(secret), "{shown}");
    }
    assert_eq!(format!("{contact:?}"), "Contact(user_id, email, contact_id)");
}

#[test]
fn a_custom_address_type_names_a_contact() {
    struct Address(&'static str);

    impl ToEmail for Address {
        fn to_email(&self) -> Arc<str> {
            self.0.into()
        }
    }

    assert_eq!(Contact::email(Address("a@b")).as_email(), Some("a@b"));
}
