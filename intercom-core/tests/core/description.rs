//! The description of events as data.

use std::time::SystemTime;

use intercom_core::{
    EventMetadata, FieldDescription, IntercomEvent, Money, RichLink, Role, ValueKind,
};

/// What a customer pays.
#[derive(EventMetadata)]
struct Billing {
    /// The plan's name.
    plan: String,
    price: Option<Money>,
}

/// Something about a project.
///
/// In two paragraphs.
#[derive(IntercomEvent)]
#[expect(dead_code, reason = "the test reads only the description")]
enum Project {
    /// It began.
    #[event(name = "project_created")]
    Created {
        #[event(user_id)]
        owner: u64,
        /// The number in its address.
        project_id: u64,
        due_date: Option<SystemTime>,
        #[event(display)]
        code: char,
        #[event(with = home)]
        host: String,
        #[event(flatten)]
        billing: Billing,
        #[event(skip)]
        secret: (),
    },
    #[event(name = "project_deleted")]
    Deleted {
        #[event(email)]
        by: String,
    },
}

fn home(host: &str) -> Option<RichLink> {
    Some(RichLink::new(format!("https://{host}"), host))
}

#[test]
fn a_description_has_names_docs_kinds_and_optionality() {
    let [created, deleted] = Project::EVENTS else { panic!("two events") };
    assert_eq!((created.name, created.doc, created.max_keys), ("project_created", "It began.", 10));
    assert_eq!((deleted.name, deleted.doc, deleted.fields.len()), ("project_deleted", "", 0));
    assert!(created.is_identified() && deleted.is_identified());
    assert_eq!((created.roles, deleted.roles), (&[Role::UserId][..], &[Role::Email][..]));

    let keys: Vec<_> =
        created.keys().into_iter().map(|key| (key.key, key.doc, key.kind, key.optional)).collect();
    assert_eq!(
        keys,
        [
            ("project_id", "The number in its address.", ValueKind::Number, false),
            ("due_date", "", ValueKind::Date, true),
            ("code", "", ValueKind::Text, false),
            ("host", "", ValueKind::RichLink, true),
            ("plan", "The plan's name.", ValueKind::Text, false),
            ("price", "", ValueKind::Money, true),
        ]
    );
    assert!(matches!(created.fields[4], FieldDescription::Group(group) if group == Billing::GROUP));
}

#[test]
fn a_description_is_constant() {
    const NAME: &str = Project::EVENTS[0].name;
    assert_eq!(NAME, "project_created");
}

#[derive(EventMetadata)]
struct Address {
    #[event(sensitive)]
    street: String,
    #[event(flatten)]
    country: Country,
}

#[derive(EventMetadata)]
struct Country {
    country: String,
}

#[derive(IntercomEvent)]
#[event(name = "parcel_sent", was = "package_sent")]
struct ParcelSent {
    #[event(created_at)]
    at: SystemTime,
    #[event(truncate, sensitive)]
    note: String,
    #[event(flatten)]
    to: Option<Address>,
    weight: u32,
}

#[test]
fn a_description_has_marks_groups_roles_and_the_earlier_name() {
    let [parcel] = ParcelSent::EVENTS else { panic!("one event") };
    assert_eq!((parcel.was, parcel.roles), (Some("package_sent"), &[Role::CreatedAt][..]));
    assert!(!parcel.is_identified());
    let keys: Vec<_> = parcel
        .keys()
        .into_iter()
        .map(|key| (key.key, key.truncated, key.sensitive, key.optional, key.group))
        .collect();
    assert_eq!(
        keys,
        [
            ("note", true, true, false, None),
            ("street", false, true, true, Some("Address")),
            ("country", false, false, true, Some("Country")),
            ("weight", false, false, false, None),
        ],
        "an absent group omits the keys of its own groups too"
    );
}
