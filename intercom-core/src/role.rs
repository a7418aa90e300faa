//! The types that a role field may have: what its role takes, or an `Option` of that.

use std::sync::Arc;

use crate::contact::{ToContactId, ToEmail, ToUserId};
use crate::value::{Timestamp, ToTimestamp};

macro_rules! roles {
    ($(
        $(#[$diagnostic:meta])*
        $role:ident of $trait:ident::$method:ident -> $out:ty;
    )*) => {$(
        $(#[$diagnostic])*
        #[doc = concat!("What a role field may hold: a type that is [`", stringify!($trait), "`], or an `Option` of one.")]
        pub trait $role {
            /// Returns the field's value, unless it is absent.
            fn get(&self) -> Option<$out>;
        }

        #[diagnostic::do_not_recommend]
        impl<T: $trait> $role for T {
            fn get(&self) -> Option<$out> {
                Some(self.$method())
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T: $trait> $role for Option<T> {
            fn get(&self) -> Option<$out> {
                self.as_ref().map(T::$method)
            }
        }
    )*};
}

roles! {
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be a contact's user id",
        label = "not a user id",
        note = "a user id is text or an integer, or an `Option`, a reference or a smart pointer of one",
        note = "derive `MetadataValue` on a type of your own that holds one: `#[derive(MetadataValue)] struct CustomerId(u64);`"
    )]
    UserIdRole of ToUserId::to_user_id -> Arc<str>;

    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be a contact's email address",
        label = "not an email address",
        note = "an email address is text, or an `Option`, a reference or a smart pointer of text",
        note = "derive `MetadataValue` on a type of your own that holds one: `#[derive(MetadataValue)] struct Address(String);`"
    )]
    EmailRole of ToEmail::to_email -> Arc<str>;

    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be Intercom's id of a contact",
        label = "not a contact id",
        note = "a contact id is text, or an `Option`, a reference or a smart pointer of text",
        note = "derive `MetadataValue` on a type of your own that holds one: `#[derive(MetadataValue)] struct ContactId(String);`"
    )]
    ContactIdRole of ToContactId::to_contact_id -> Arc<str>;

    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be the time of an event",
        label = "not a time",
        note = "a time is a `Timestamp`, a `SystemTime`, or, with the feature of that name in `intercom-core`, a `jiff::Timestamp`, `jiff::Zoned`, `chrono::DateTime`, `time::OffsetDateTime` or `time::UtcDateTime`",
        note = "a bare number could be seconds or milliseconds: `Timestamp::from_unix_seconds(…)` makes a time of Unix seconds",
        note = "derive `MetadataValue` on a type of your own that holds one: `#[derive(MetadataValue)] struct PaidAt(SystemTime);`"
    )]
    CreatedAtRole of ToTimestamp::to_timestamp -> Timestamp;
}
