//! `#[derive(MetadataValue)]` on newtypes and enums: values and roles.

use std::marker::PhantomData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intercom_core::contact::{ToContactId, ToEmail};
use intercom_core::{
    Contact, Currency, DynamicEvent, IntercomEvent, MetadataValue, Money, Reason, Timestamp,
    ToTimestamp, ValueError, ValueKind,
};
use serde::{Deserialize, Serialize};

use crate::{encode, metadata};

#[derive(MetadataValue)]
struct ProjectId(u64);

#[derive(MetadataValue)]
struct Name<'a>(&'a str);

#[derive(MetadataValue)]
struct Price(pub(crate) Money);

#[derive(MetadataValue)]
struct Moment(SystemTime);

#[derive(MetadataValue)]
struct Maybe<T>(Option<T>);

#[derive(MetadataValue)]
struct Id<T: ?Sized>(PhantomData<fn(&T)>, u32);

#[test]
fn a_newtype_is_its_inner_value() {
    #[derive(IntercomEvent)]
    #[event(name = "sent")]
    struct Sent<'a> {
        project: ProjectId,
        name: Name<'a>,
        #[event(truncate)]
        note: Name<'a>,
        price: Option<Price>,
        paid_date: Moment,
        absent: Maybe<u8>,
        id: Id<str>,
    }

    let long = "a".repeat(300);
    let sent = Sent {
        project: ProjectId(7),
        name: Name("Apollo"),
        note: Name(&long),
        price: Some(Price(Money::new(5, Currency::EUR))),
        paid_date: Moment(UNIX_EPOCH + Duration::from_secs(9)),
        absent: Maybe(None),
        id: Id(PhantomData, 3),
    };
    assert_eq!(
        metadata(&sent),
        format!(
            r#"{{"project":7,"name":"Apollo","note":"{}","price":{{"amount":5,"currency":"eur"}},"paid_date":9,"id":3}}"#,
            "a".repeat(255)
        )
    );
    let keys = Sent::EVENTS[0].keys();
    let kinds: Vec<_> = keys.iter().map(|key| (key.kind, key.optional)).collect();
    assert_eq!(
        kinds,
        [
            (ValueKind::Number, false),
            (ValueKind::Text, false),
            (ValueKind::Text, false),
            (ValueKind::Money, true),
            (ValueKind::Date, false),
            (ValueKind::Number, true),
            (ValueKind::Number, false),
        ]
    );
    let error = encode(&Sent { name: Name(&long), ..sent }).unwrap_err();
    assert_eq!(error.reason(), &Reason::Value(ValueError::TooLong { chars: 300 }));
}

#[test]
fn the_description_has_the_texts_of_an_enum() {
    #[derive(MetadataValue)]
    #[event(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only described")]
    enum Plan {
        FreeTrial,
        #[event(rename = "on-premises")]
        SelfHosted,
    }

    #[derive(MetadataValue)]
    struct Chosen<'a>(&'a Plan);

    #[derive(IntercomEvent)]
    #[event(name = "chosen")]
    struct ChosenPlans<'a> {
        plan: Plan,
        maybe: Option<&'a Plan>,
        inner: std::sync::Arc<Chosen<'a>>,
        #[event(with = chosen)]
        converted: u8,
        #[event(sensitive)]
        secret: std::borrow::Cow<'a, str>,
        count: u8,
    }

    fn chosen(_: &u8) -> Option<Plan> {
        None
    }

    let keys = ChosenPlans::EVENTS[0].keys();
    let texts: Vec<_> = keys.iter().map(|key| (key.key, key.texts)).collect();
    let both: &[&str] = &["free_trial", "on-premises"];
    assert_eq!(
        texts,
        [
            ("plan", both),
            ("maybe", both),
            ("inner", both),
            ("converted", both),
            ("secret", &[]),
            ("count", &[])
        ]
    );
}

#[test]
fn a_newtype_is_a_role_if_its_inner_type_can_be_one() {
    #[derive(MetadataValue)]
    struct Address(String);

    #[derive(IntercomEvent)]
    #[event(name = "paid")]
    struct Paid<'a> {
        #[event(user_id)]
        customer: Option<ProjectId>,
        #[event(email)]
        address: &'a Address,
        #[event(contact_id)]
        contact: Name<'a>,
        #[event(created_at)]
        at: Moment,
    }

    let paid = Paid {
        customer: Some(ProjectId(7)),
        address: &Address("ada@example.com".into()),
        contact: Name("5f1c"),
        at: Moment(UNIX_EPOCH + Duration::from_secs(9)),
    };
    let contact = Contact::user_id(7).with_email("ada@example.com").with_contact_id("5f1c");
    assert_eq!(paid.event_contact(), Some(contact));
    assert_eq!(paid.event_created_at(), Some(Timestamp::from_unix_seconds(9)));
    assert_eq!(Contact::user_id(Id::<str>(PhantomData, 3)), Contact::user_id(3));

    assert_eq!((&*Name("a").to_email(), &*Name("b").to_contact_id()), ("a", "b"));
    assert_eq!(Moment(UNIX_EPOCH).to_timestamp(), Timestamp::from_unix_seconds(0));
}

#[test]
fn an_enum_of_unit_variants_is_text() {
    macro_rules! texts {
        ($($rule:literal)?) => {{
            #[derive(MetadataValue)]
            $(#[event(rename_all = $rule)])?
            enum Plan {
                FreeTrial,
                V2,
                #[event(rename = "On premises")]
                SelfHosted,
                r#Self_,
            }

            [Plan::FreeTrial, Plan::V2, Plan::SelfHosted, Plan::r#Self_].map(|plan| {
                let event = DynamicEvent::new("sent").unwrap().with("plan", plan).unwrap();
                encode(&event).unwrap().to_json()["metadata"]["plan"].as_str().unwrap().to_owned()
            })
        }};
    }
    assert_eq!(texts!(), ["FreeTrial", "V2", "On premises", "Self_"]);
    assert_eq!(texts!("PascalCase"), ["FreeTrial", "V2", "On premises", "Self_"]);
    assert_eq!(texts!("lowercase"), ["freetrial", "v2", "On premises", "self_"]);
    assert_eq!(texts!("UPPERCASE"), ["FREETRIAL", "V2", "On premises", "SELF_"]);
    assert_eq!(texts!("camelCase"), ["freeTrial", "v2", "On premises", "self_"]);
    assert_eq!(texts!("snake_case"), ["free_trial", "v2", "On premises", "self_"]);
    assert_eq!(texts!("SCREAMING_SNAKE_CASE"), ["FREE_TRIAL", "V2", "On premises", "SELF_"]);
    assert_eq!(texts!("kebab-case"), ["free-trial", "v2", "On premises", "self-"]);
    assert_eq!(texts!("SCREAMING-KEBAB-CASE"), ["FREE-TRIAL", "V2", "On premises", "SELF-"]);
}

#[test]
fn each_form_of_rename_all_matches_serde() {
    macro_rules! check {
        ($($rule:literal)*) => {$({
            #[derive(Serialize, MetadataValue)]
            #[serde(rename_all = $rule)]
            #[event(rename_all = $rule)]
            enum Plan {
                FreeTrial,
                HTTPOnly,
                V2Beta,
            }

            for plan in [Plan::FreeTrial, Plan::HTTPOnly, Plan::V2Beta] {
                let serde = serde_json::to_value(&plan).unwrap();
                let event = DynamicEvent::new("sent").unwrap().with("plan", plan).unwrap();
                assert_eq!(encode(&event).unwrap().to_json()["metadata"]["plan"], serde);
            }
        })*};
    }
    check! {
        "lowercase" "UPPERCASE" "PascalCase" "camelCase" "snake_case" "SCREAMING_SNAKE_CASE"
        "kebab-case" "SCREAMING-KEBAB-CASE"
    }
}

#[test]
fn harmless_serde_attributes_need_no_event_attribute() {
    #[derive(Clone, Serialize, Deserialize, MetadataValue)]
    #[serde(transparent)]
    struct Transparent(u8);

    #[derive(Clone, Serialize, Deserialize, MetadataValue)]
    #[serde(try_from = "String", into = "String")]
    struct Checked(String);

    impl From<Checked> for String {
        fn from(checked: Checked) -> Self {
            checked.0
        }
    }

    impl From<String> for Checked {
        fn from(text: String) -> Self {
            Checked(text)
        }
    }

    #[derive(Serialize, Deserialize, MetadataValue)]
    #[serde(rename_all = "lowercase")]
    #[event(rename_all = "UPPERCASE")]
    enum Plan {
        Free,
        #[serde(rename = "business", alias = "pro")]
        #[event(rename = "team")]
        Team,
        #[event(rename = "secret")]
        #[serde(skip)]
        Secret,
    }

    #[derive(IntercomEvent)]
    #[event(name = "sent")]
    struct Sent {
        transparent: Transparent,
        checked: Checked,
        plans: Plan,
        other: Plan,
        secret: Plan,
    }

    let sent = Sent {
        transparent: Transparent(1),
        checked: Checked::from(String::from("a")),
        plans: Plan::Free,
        other: Plan::Team,
        secret: Plan::Secret,
    };
    assert_eq!(
        metadata(&sent),
        r#"{"transparent":1,"checked":"a","plans":"FREE","other":"team","secret":"secret"}"#
    );
}
