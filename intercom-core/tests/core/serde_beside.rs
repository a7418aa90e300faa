//! Types that also derive serde's traits: `event` attributes decide what is sent, and `serde`
//! attributes do not.

use std::time::Duration;

use intercom_core::{EventMetadata, IntercomEvent};
use serde::{Deserialize, Serialize};

use crate::metadata;

#[test]
fn event_attributes_decide_what_is_sent() {
    fn minutes(duration: &Duration) -> u64 {
        duration.as_secs() / 60
    }

    fn filled(text: &str) -> Option<&str> {
        Some(text).filter(|text| !text.is_empty())
    }

    #[derive(IntercomEvent, Serialize)]
    #[event(name = "project_shared", rename_all = "kebab-case")]
    #[serde(rename_all = "camelCase")]
    struct ProjectShared {
        #[event(user_id)]
        #[serde(rename = "owner", skip_serializing)]
        owner_id: u64,
        #[event(skip)]
        #[serde(skip)]
        #[expect(dead_code, reason = "a skipped field is never read")]
        password: String,
        #[event(rename = "token")]
        #[serde(skip)]
        token: u8,
        #[event(rename = "project_id")]
        #[serde(rename = "ID")]
        project_id: u64,
        #[event(flatten)]
        #[serde(flatten)]
        plan: Plan,
        #[event(with = minutes)]
        #[serde(with = "unused")]
        editing_time: Duration,
        #[event(with = std::convert::identity)]
        #[serde(serialize_with = "unused::serialize")]
        link_count: u32,
        #[event(with = filled)]
        #[serde(skip_serializing_if = "String::is_empty")]
        note: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        template: Option<String>,
    }

    #[derive(EventMetadata, Serialize)]
    #[event(rename_all = "snake_case")]
    #[serde(rename_all = "camelCase")]
    struct Plan {
        plan_name: String,
    }

    mod unused {
        pub(super) fn serialize<T, S: serde::Serializer>(_: &T, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_unit()
        }
    }

    let event = ProjectShared {
        owner_id: 1,
        password: "secret".into(),
        token: 2,
        project_id: 3,
        plan: Plan { plan_name: "team".into() },
        editing_time: Duration::from_secs(300),
        link_count: 4,
        note: String::new(),
        template: None,
    };
    assert_eq!(
        metadata(&event),
        r#"{"token":2,"project_id":3,"plan_name":"team","editing-time":5,"link-count":4}"#
    );
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"ID":3,"planName":"team","editingTime":null,"linkCount":null}"#
    );
}

#[test]
fn harmless_serde_attributes_need_no_event_attribute() {
    #[derive(IntercomEvent, Serialize, Deserialize)]
    #[event(name = "signed_up", rename_all = "camelCase")]
    #[serde(tag = "kind", rename = "SignUp", rename_all = "camelCase", deny_unknown_fields)]
    struct SignedUp {
        #[serde(default, alias = "planName")]
        plan: String,
        #[serde(rename = "numberOfSeats", skip_deserializing)]
        number_of_seats: u8,
        #[serde(rename(deserialize = "from"))]
        source: String,
    }

    #[derive(IntercomEvent, Serialize, Deserialize)]
    #[serde(tag = "type", content = "data", rename_all = "camelCase")]
    enum Project {
        #[event(name = "project_created")]
        #[serde(rename = "made", alias = "created")]
        Created { project_id: u64 },
        #[event(name = "project_listed")]
        #[serde(skip)]
        Listed,
    }

    #[derive(IntercomEvent, Serialize, Deserialize)]
    #[event(name = "renamed")]
    #[serde(transparent)]
    struct Renamed {
        #[event(rename = "new_name")]
        name: String,
    }

    let event = SignedUp { plan: "team".into(), number_of_seats: 1, source: "web".into() };
    assert_eq!(metadata(&event), r#"{"plan":"team","numberOfSeats":1,"source":"web"}"#);
    assert_eq!(metadata(&Project::Created { project_id: 7 }), r#"{"project_id":7}"#);
    assert_eq!(metadata(&Project::Listed), "");
    assert_eq!(metadata(&Renamed { name: "Apollo".into() }), r#"{"new_name":"Apollo"}"#);
}
