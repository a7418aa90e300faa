//! The derives' output works in any surroundings: without a prelude, beside the user's own names,
//! under strict lints.

#![deny(warnings)]
#![deny(
    clippy::all,
    clippy::pedantic,
    single_use_lifetimes,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications,
    variant_size_differences
)]
#![forbid(unsafe_code, non_ascii_idents)]
#![allow(missing_docs, reason = "the types exist only to derive on")]

pub mod without_prelude;

pub mod shadowed {
    //! Types that take common names.

    #![allow(dead_code, reason = "the names only shadow others")]

    use ::renamed_core as facade;

    pub struct Result;
    pub struct Option;
    pub struct Some;
    pub struct None;
    pub struct Ok;
    pub struct String;
    pub struct Vec;
    pub struct Contact;
    pub struct Timestamp;
    pub struct EventName;
    pub trait IntercomEvent {}
    pub trait MetadataValue {}
    pub mod core {}
    pub mod std {}
    pub mod intercom_core {}

    #[derive(facade::IntercomEvent)]
    #[event(name = "shadowed", crate = ::renamed_core, also = self::either, was = "Option")]
    pub struct Shadowed<'a> {
        pub number: u64,
        #[event(truncate, sensitive)]
        pub text: &'a str,
        #[event(display)]
        pub shown: ::std::option::Option<char>,
        #[event(with = str::len)]
        pub length: &'a str,
        #[event(with = str::len)]
        pub other_length: ::std::option::Option<&'a str>,
        #[event(flatten)]
        pub group: Group<'a>,
        #[event(user_id)]
        pub user: ::std::option::Option<u64>,
        #[event(created_at)]
        pub at: ::std::time::SystemTime,
    }

    #[must_use]
    pub fn either(shadowed: &Shadowed<'_>) -> ::std::option::Option<Either> {
        (shadowed.number == 1).then_some(Either::Right { address: "a@b".into(), field_address: 1 })
    }

    #[derive(facade::EventMetadata)]
    #[event(crate = facade)]
    pub struct Group<'a> {
        pub out: &'a str,
        pub field: bool,
        pub r#self_: bool,
    }

    #[derive(facade::IntercomEvent)]
    #[event(crate = facade)]
    pub enum Either {
        #[event(name = "left")]
        Left {
            #[event(email)]
            address: ::std::string::String,
        },
        #[event(name = "right")]
        Right {
            #[event(email)]
            address: ::std::string::String,
            field_address: u8,
        },
    }
}

pub mod shadowed_values {
    //! Derived values where the module takes common names.

    #![allow(dead_code, reason = "the names only shadow others")]

    pub struct Result;
    pub struct Option;
    pub struct Arc;
    pub struct Ok;
    pub trait MetadataValue {}
    pub trait ToUserId {}
    #[allow(non_camel_case_types, reason = "it is in the way so")]
    pub struct str;
    #[allow(non_camel_case_types, reason = "it is in the way so")]
    pub struct bool;
    pub mod core {}
    pub mod std {}

    #[derive(::renamed_core::MetadataValue)]
    #[event(crate = ::renamed_core)]
    pub struct Newtype<'a, T>(pub &'a T, pub ::std::marker::PhantomData<fn() -> T>);

    #[derive(::renamed_core::MetadataValue)]
    #[event(crate = ::renamed_core, rename_all = "kebab-case")]
    pub enum Choice {
        None,
        Some,
        #[deprecated]
        Old,
    }

    macro_rules! newtype {
        ($name:ident($ty:ty)) => {
            #[derive(::renamed_core::MetadataValue)]
            #[event(crate = ::renamed_core)]
            pub struct $name(pub $ty);
        };
    }

    newtype!(Made(::std::time::SystemTime));
}

pub mod named_as_foreign {
    //! The user's own types with names of other crates' types.

    use std::sync::Arc;

    #[derive(renamed_core::MetadataValue)]
    #[event(crate = ::renamed_core)]
    pub struct Uuid(pub u128);

    #[derive(renamed_core::MetadataValue)]
    #[event(crate = ::renamed_core)]
    pub struct Url(pub std::time::SystemTime);

    #[derive(renamed_core::IntercomEvent)]
    #[event(name = "named_as_foreign", crate = ::renamed_core)]
    pub struct Named<'a> {
        pub id: Option<Arc<Uuid>>,
        pub url_date: &'a Url,
        #[event(truncate)]
        pub decimal: super::shadowed_values::Choice,
    }
}

pub mod imported {
    //! No qualified path of the output is superfluous, whichever traits are in scope.

    use renamed_core::value::MetadataValue;
    use renamed_core::{EventMetadata, IntercomEvent};

    #[derive(renamed_core::MetadataValue)]
    #[event(crate = renamed_core)]
    pub struct Id(pub u8);

    #[derive(IntercomEvent)]
    #[event(name = "imported", crate = renamed_core)]
    pub struct Imported {
        pub number: u8,
        #[event(flatten)]
        pub group: Group,
        #[event(display)]
        pub shown: u8,
    }

    #[derive(EventMetadata)]
    #[event(crate = renamed_core)]
    pub struct Group {
        pub text: String,
    }

    pub const OPTIONAL: bool = u8::OPTIONAL;
}

pub mod out_of_a_macro {
    //! Types, keys and whole events from macros.

    macro_rules! event {
        ($event:ident, $name:literal, $ty:ty, $with:path, $also:path) => {
            #[derive(renamed_core::IntercomEvent)]
            #[event(name = $name, crate = renamed_core, also = $also)]
            pub struct $event {
                pub value: $ty,
                #[event(with = $with)]
                pub other: $ty,
                #[event(user_id)]
                pub user: $ty,
            }
        };
    }

    event!(Made, "made", &'static str, str::len, also_made);

    #[must_use]
    pub fn also_made(_: &Made) -> Option<super::imported::Imported> {
        None
    }
}

pub mod listed {
    //! A catalogue where the module takes the names of its output.

    #![allow(dead_code, reason = "the names only shadow others")]

    pub struct Catalogue;
    pub struct Entry;
    pub struct TypeDescription;
    pub mod core {}
    pub mod intercom_core {}

    ::renamed_core::catalogue! {
        pub static LISTED: super::shadowed::Shadowed<'_>, super::shadowed::Either, super::imported::Imported
    }

    #[must_use]
    pub fn within_a_function() -> usize {
        ::renamed_core::catalogue! { static LISTED: ..self::LISTED }
        LISTED.events().count()
    }
}

pub mod deprecated {
    //! Derives on deprecated types and fields.

    #[deprecated]
    #[derive(renamed_core::IntercomEvent)]
    #[event(name = "deprecated", crate = renamed_core)]
    pub struct Old {
        #[deprecated]
        pub number: u64,
        #[event(user_id)]
        #[deprecated]
        pub user: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::{deprecated, listed, shadowed, shadowed_values, without_prelude};

    #[test]
    fn the_shadowed_event_is_what_it_should_be() {
        use renamed_core::{Contact, DataEvent, IntercomEvent, Timestamp};

        let event = shadowed::Shadowed {
            number: 1,
            text: "a",
            shown: Some('b'),
            length: "ccc",
            other_length: Some("c"),
            group: shadowed::Group { out: "d", field: true, self_: false },
            user: Some(7),
            at: std::time::UNIX_EPOCH,
        };
        assert_eq!(event.event_contact(), Some(Contact::user_id(7)));
        let data =
            DataEvent::new(&event, Contact::user_id(7), Timestamp::from_unix_seconds(0)).unwrap();
        assert_eq!(
        data.metadata().unwrap(),
        br#"{"number":1,"text":"a","shown":"b","length":3,"other_length":1,"out":"d","field":true,"self_":false}"#
    );
        assert_eq!(data.derived()[0].event_name(), "right");
        assert_eq!(data.sensitive_keys().collect::<Vec<_>>(), ["text"]);
        let sides = [
            shadowed::Either::Left { address: "a@b".into() },
            shadowed::Either::Right { address: "c@d".into(), field_address: 1 },
        ];
        assert_eq!(
            sides.map(|side| side.event_contact()),
            [Contact::email("a@b"), Contact::email("c@d")].map(Some)
        );
    }

    #[test]
    fn a_catalogue_is_made_where_its_names_are_taken() {
        assert_eq!(listed::LISTED.events().count(), 4);
        assert_eq!(listed::within_a_function(), 4);
    }

    #[test]
    fn the_shadowed_values_are_what_they_should_be() {
        use renamed_core::{Contact, DynamicEvent, ToTimestamp};

        let newtype = shadowed_values::Newtype(&7_u8, std::marker::PhantomData);
        assert_eq!(Contact::user_id(&newtype), Contact::user_id(7));
        let made = shadowed_values::Made(std::time::UNIX_EPOCH);
        assert_eq!(made.to_timestamp().unix_seconds(), 0);
        let event = DynamicEvent::new("shadowed").unwrap();
        event.with("a", newtype).unwrap().with("b", shadowed_values::Choice::None).unwrap();
    }

    #[test]
    #[expect(deprecated, reason = "the test needs it")]
    fn deprecated_events_are_events() {
        use renamed_core::{Contact, IntercomEvent};

        assert_eq!(
            deprecated::Old { number: 1, user: 2 }.event_contact(),
            Some(Contact::user_id(2))
        );
        assert_eq!(without_prelude::NAMES, ["bare", "one", "two"]);
    }
}
