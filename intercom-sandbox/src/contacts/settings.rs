//! What can be settled about contacts before a sandbox starts.

use std::time::Duration;

use super::SeedContact;
use crate::builder::SandboxBuilder;

pub(crate) struct Settings {
    pub(crate) know_everybody: bool,
    pub(crate) limit: usize,
    pub(crate) max_bytes: usize,
    pub(crate) settle_after: Duration,
    pub(crate) merges_only_duplicates: bool,
    pub(crate) merged_contact_is_404: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            know_everybody: false,
            limit: 100_000,
            max_bytes: 128 << 20,
            settle_after: Duration::ZERO,
            merges_only_duplicates: true,
            merged_contact_is_404: false,
        }
    }
}

/// # Contacts
impl SandboxBuilder {
    /// A contact that is known from the start; call it once for each. Default: none, so that every
    /// event is answered with `404`, as in a new workspace at Intercom.
    pub fn contact(mut self, contact: SeedContact) -> Self {
        self.contacts.push(contact);
        self
    }

    /// Whether an event is accepted for any contact, archived ones too. Several contacts with one
    /// email stay a conflict. Default: `false`.
    pub fn know_everybody(mut self, know_everybody: bool) -> Self {
        self.contact_settings.know_everybody = know_everybody;
        self
    }

    /// How long the events of a contact that was created over the API are answered with `404`, by the
    /// sandbox's [clock](Self::clock). At Intercom a new contact is not known everywhere at once, and
    /// events sent in that moment are refused; users have met it, and nobody tells how long it lasts.
    /// Reading and searching find the contact at once, and where
    /// [everybody is known](Self::know_everybody) so do events. Default: zero.
    pub fn contacts_settle_after(mut self, duration: Duration) -> Self {
        self.contact_settings.settle_after = duration;
        self
    }

    /// How many contacts there can be, merged ones among them; creating one more is answered with
    /// `422` and the code `contact_limit_reached`, which Intercom does not have. Contacts that are
    /// given to the builder or to [`Sandbox::add_contact`](crate::Sandbox::add_contact) count, and are
    /// always taken in. Default: 100,000.
    pub fn max_contacts(mut self, contacts: usize) -> Self {
        self.contact_settings.limit = contacts;
        self
    }

    /// How many bytes all contacts may take, what is said of them counted and not what it costs to
    /// find them; one more, or more said of one, is answered as [one too many](Self::max_contacts).
    /// Default: 128 MiB.
    pub fn max_contact_bytes(mut self, bytes: usize) -> Self {
        self.contact_settings.max_bytes = bytes;
        self
    }

    /// Whether a lead can only be merged into a user that has its email or its phone, unless the
    /// request says `skip_duplicate_validation`. The newest of Intercom's descriptions wants it so, the
    /// older ones do not know of it. Default: `true`.
    pub fn merges_only_duplicates(mut self, only_duplicates: bool) -> Self {
        self.contact_settings.merges_only_duplicates = only_duplicates;
        self
    }

    /// Whether a contact that was merged into another is answered with `404` in the place of `410`
    /// and a `Link` to the other; Intercom's description tells both. Default: `false`.
    pub fn merged_contact_is_404(mut self, is_404: bool) -> Self {
        self.contact_settings.merged_contact_is_404 = is_404;
        self
    }

    /// Whether an event whose email several users share is answered with `400` in the place of
    /// `409`; sources about Intercom tell both, with the code `conflict`. Default: `false`.
    pub fn ambiguous_contact_is_400(mut self, is_400: bool) -> Self {
        self.settings.ambiguous_contact_is_400 = is_400;
        self
    }
}
