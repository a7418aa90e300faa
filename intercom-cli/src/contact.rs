//! The contact that the command line names.

use clap::Args;
use intercom_core::Contact;

use crate::failure::Failure;

/// A contact, by one identifier or several.
#[derive(Args, Clone, Debug)]
pub(crate) struct ContactArguments {
    /// The contact's user id
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,

    /// The contact's email address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,

    /// Id that Intercom gave the contact
    #[arg(long, value_name = "ID")]
    contact_id: Option<String>,
}

impl ContactArguments {
    /// Returns the contact, if one is named.
    pub(crate) fn contact(&self) -> Option<Contact> {
        let mut contact = Contact::default();
        if let Some(id) = &self.user_id {
            contact = contact.with_user_id(id.as_str());
        }
        if let Some(address) = &self.email {
            contact = contact.with_email(address.as_str());
        }
        if let Some(id) = &self.contact_id {
            contact = contact.with_contact_id(id.as_str());
        }
        (contact != Contact::default()).then_some(contact)
    }

    /// Returns the contact.
    ///
    /// # Errors
    ///
    /// Fails when there is none, and when an identifier is not valid.
    pub(crate) fn required(&self) -> Result<Contact, Failure> {
        let contact = self.contact().ok_or_else(|| {
            Failure::usage("there is no contact; name one with --user-id, --email or --contact-id")
        })?;
        contact.check().map_err(|error| Failure::usage(error.to_string()))?;
        Ok(contact)
    }
}
