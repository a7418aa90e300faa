//! Contacts, and the types that can identify a contact.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::rules::{MAX_NAME_CHARS, is_unseen};

/// The person that an event belongs to, identified in one or more ways.
///
/// Set one identifier. Intercom does not document which identifier counts when an event has
/// several. `Debug` shows which identifiers are set, and never their values.
///
/// ```
/// use intercom_core::Contact;
///
/// let by_id = Contact::user_id(42);
/// let by_email = Contact::email("ada@example.com");
/// let by_both = Contact::user_id("42").with_email("ada@example.com");
///
/// assert_eq!(by_both.as_email(), Some("ada@example.com"));
/// assert_eq!(format!("{by_both:?}"), "Contact(user_id, email)");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Contact {
    user_id: Option<Arc<str>>,
    email: Option<Arc<str>>,
    contact_id: Option<Arc<str>>,
}

impl Contact {
    /// Creates a contact from your application's id of the person.
    pub fn user_id(user_id: impl ToUserId) -> Self {
        Contact::default().with_user_id(user_id)
    }

    /// Creates a contact from an email address. Trim user input first: white space around an
    /// address is an error, and so is an address without `@`.
    pub fn email(email: impl ToEmail) -> Self {
        Contact::default().with_email(email)
    }

    /// Creates a contact from Intercom's own id of the person. A lead has no other identifier.
    ///
    /// In a request, this is the member `id`.
    pub fn contact_id(contact_id: impl ToContactId) -> Self {
        Contact::default().with_contact_id(contact_id)
    }

    /// Adds your application's id of the contact.
    #[must_use]
    pub fn with_user_id(mut self, user_id: impl ToUserId) -> Self {
        self.user_id = Some(user_id.to_user_id());
        self
    }

    /// Adds the contact's email address.
    #[must_use]
    pub fn with_email(mut self, email: impl ToEmail) -> Self {
        self.email = Some(email.to_email());
        self
    }

    /// Adds Intercom's own id of the contact.
    #[must_use]
    pub fn with_contact_id(mut self, contact_id: impl ToContactId) -> Self {
        self.contact_id = Some(contact_id.to_contact_id());
        self
    }

    /// Returns your application's id of the contact, if it is set.
    #[inline]
    pub fn as_user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// Returns the contact's email address, if it is set.
    #[inline]
    pub fn as_email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Returns Intercom's own id of the contact, if it is set.
    #[inline]
    pub fn as_contact_id(&self) -> Option<&str> {
        self.contact_id.as_deref()
    }

    /// Creates a contact from an event's role fields. All of them may be absent.
    #[doc(hidden)]
    pub fn __from_roles(
        user_id: Option<Arc<str>>,
        email: Option<Arc<str>>,
        contact_id: Option<Arc<str>>,
    ) -> Option<Self> {
        let contact = Contact { user_id, email, contact_id };
        (contact != Contact::default()).then_some(contact)
    }

    /// Checks the identifiers without any I/O. Encoding an event calls this.
    ///
    /// # Errors
    ///
    /// Fails when no identifier is set. Fails when an identifier is blank, has more than 255
    /// characters, or has an invisible character such as a zero-width space. Fails when white space
    /// surrounds an email address or a contact id. A user id is your application's own, and may
    /// begin or end with a space. Fails when an email address has no `@`.
    pub fn check(&self) -> Result<(), ContactError> {
        let identifiers =
            [(USER_ID, &self.user_id), ("email", &self.email), ("contact id", &self.contact_id)];
        let mut named = false;
        for (which, identifier) in identifiers {
            let Some(text) = identifier.as_deref() else { continue };
            named = true;
            if !is_plain(text) {
                check_identifier(which, text)?;
            }
        }
        match &self.email {
            _ if !named => Err(ContactError::NoIdentifier),
            Some(email) if !email.contains('@') => Err(ContactError::NoAddress),
            _ => Ok(()),
        }
    }
}

/// Returns whether a text is plain ASCII of an allowed length, as nearly every identifier is.
#[inline]
fn is_plain(text: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cold]
fn check_identifier(which: &'static str, text: &str) -> Result<(), ContactError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(ContactError::Blank { which });
    }
    // Intercom keeps the white space around a user id.
    if trimmed.len() < text.len() && which != USER_ID {
        return Err(ContactError::Padded { which });
    }
    if let Some(character) = text.chars().find(|&c| is_unseen(c)) {
        return Err(ContactError::InvisibleCharacter { which, character });
    }
    match text.chars().count() {
        chars if chars > MAX_NAME_CHARS => Err(ContactError::TooLong { which, chars }),
        _ => Ok(()),
    }
}

/// The name of a user id in errors.
const USER_ID: &str = "user id";

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_tuple("Contact");
        for (name, identifier) in
            [("user_id", &self.user_id), ("email", &self.email), ("contact_id", &self.contact_id)]
        {
            if identifier.is_some() {
                set.field(&format_args!("{name}"));
            }
        }
        set.finish()
    }
}

/// An invalid contact of an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContactError {
    /// No identifier is set, by a role field of the event or by the caller's contact.
    #[error(
        "the event has no contact: neither a role field nor the caller sets a user id, email or contact id; send it with `tracker.for_contact(Contact::email(…))`, for example"
    )]
    NoIdentifier,
    /// An identifier is blank.
    #[error("the contact's {which} is blank; set it, or name the contact in another way")]
    Blank {
        /// Which identifier is blank: `user id`, `email` or `contact id`.
        which: &'static str,
    },
    /// An identifier begins or ends with white space. Intercom accepts it, but finds no contact by
    /// it.
    #[error(
        "the contact's {which} begins or ends with white space, by which Intercom would not find the contact; trim it"
    )]
    Padded {
        /// Which identifier it is: `email` or `contact id`.
        which: &'static str,
    },
    /// An identifier has an invisible character: a control or format character, such as a
    /// zero-width space. Intercom would match, or create, a different contact.
    #[error(
        "the contact's {which} has an invisible character (U+{:04X}) and would name another contact; remove the character",
        *.character as u32
    )]
    InvisibleCharacter {
        /// Which identifier it is: `user id`, `email` or `contact id`.
        which: &'static str,
        /// The character.
        character: char,
    },
    /// The email address has no `@`. Intercom documents no check of addresses. It would find no
    /// contact, or create one that no email reaches.
    #[error(
        "the contact's email has no `@`, so it is no address; correct it, or if it is an id, use it as the user id"
    )]
    NoAddress,
    /// An identifier has more than 255 characters.
    #[error(
        "the contact's {which} has {chars} characters, and may have {MAX_NAME_CHARS}; shorten it"
    )]
    TooLong {
        /// Which identifier it is: `user id`, `email` or `contact id`.
        which: &'static str,
        /// The number of characters.
        chars: usize,
    },
}

/// A type that can be your application's id of a contact: text, an integer, or `NonZero` of 32 or
/// 64 bits. The feature `uuid` adds `uuid::Uuid`. Implement the trait for your own id types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a contact's user id",
    label = "not a user id",
    note = "a user id is text or an integer, or a reference or a smart pointer of one; unwrap an `Option` first",
    note = "derive `MetadataValue` on a type of your own that holds one: `#[derive(MetadataValue)] struct CustomerId(u64);`"
)]
pub trait ToUserId {
    /// Returns the id in the form that Intercom gets.
    fn to_user_id(&self) -> Arc<str>;
}

/// A type that can be a contact's email address: text. Implement it for your own address types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a contact's email address",
    label = "not an email address",
    note = "an email address is text, or a reference or a smart pointer of text; unwrap an `Option` first",
    note = "derive `MetadataValue` on a type of your own that holds one: `#[derive(MetadataValue)] struct Address(String);`"
)]
pub trait ToEmail {
    /// Returns the address.
    fn to_email(&self) -> Arc<str>;
}

/// A type that can be Intercom's own id of a contact: text. Implement it for your own id types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be Intercom's id of a contact",
    label = "not a contact id",
    note = "a contact id is text, or a reference or a smart pointer of text; unwrap an `Option` first",
    note = "derive `MetadataValue` on a type of your own that holds one: `#[derive(MetadataValue)] struct ContactId(String);`"
)]
pub trait ToContactId {
    /// Returns the id that Intercom gave the contact.
    fn to_contact_id(&self) -> Arc<str>;
}

/// Implements a trait for the types that can identify a contact.
macro_rules! identifiers {
    ($($trait:ident::$method:ident;)*) => {$(
        impl $trait for str {
            fn $method(&self) -> Arc<str> {
                self.into()
            }
        }

        impl $trait for String {
            fn $method(&self) -> Arc<str> {
                self.as_str().into()
            }
        }

        // Shares an `Arc<str>` instead of copying it.
        impl $trait for Arc<str> {
            fn $method(&self) -> Arc<str> {
                self.clone()
            }
        }

        pointers!($trait::$method: &T, &mut T, Box<T>, Rc<T>);

        impl<T: $trait + ToOwned + ?Sized> $trait for Cow<'_, T> {
            fn $method(&self) -> Arc<str> {
                T::$method(self)
            }
        }
    )*};
}

macro_rules! pointers {
    ($trait:ident::$method:ident: $($pointer:ty),*) => {$(
        impl<T: $trait + ?Sized> $trait for $pointer {
            fn $method(&self) -> Arc<str> {
                T::$method(self)
            }
        }
    )*};
}

identifiers! {
    ToUserId::to_user_id;
    ToEmail::to_email;
    ToContactId::to_contact_id;
}

macro_rules! integer_user_ids {
    ($($integer:ty)*) => {$(
        impl ToUserId for $integer {
            fn to_user_id(&self) -> Arc<str> {
                self.to_string().into()
            }
        }
    )*};
}
integer_user_ids!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);
integer_user_ids!(std::num::NonZeroU32 std::num::NonZeroU64 std::num::NonZeroI32 std::num::NonZeroI64);

#[cfg(feature = "uuid")]
impl ToUserId for uuid::Uuid {
    fn to_user_id(&self) -> Arc<str> {
        let mut buffer = uuid::Uuid::encode_buffer();
        let text: &str = self.hyphenated().encode_lower(&mut buffer);
        text.into()
    }
}
