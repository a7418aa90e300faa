//! Lists in pages, each with the start of the next.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::contact::Contact;
use super::key::ContactKey;
use super::search::{Attribute, Field, Sort};
use super::wire::{ContactFormat, FormattedContact};

/// The default of Intercom's description.
pub(crate) const DEFAULT_PER_PAGE: usize = 50;
/// The limit of Intercom's pages. The sandbox refuses more; Intercom does not document its answer.
pub(crate) const MAX_PER_PAGE: usize = 150;

/// The requested page.
pub(crate) struct PageRequest {
    pub(crate) per_page: usize,
    pub(crate) after: Option<Cursor>,
}

/// The contact before a page, with its sort value. The value keeps a page stable: while
/// contacts come, go or change, the pages neither repeat nor skip another contact.
pub(crate) struct Cursor {
    value: Value,
    key: ContactKey,
    page: usize,
}

impl Cursor {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (value, key, page) = serde_json::from_slice(&BASE64.decode(text).ok()?).ok()?;
        Some(Self { value, key: ContactKey(key), page })
    }

    fn behind(contact: &Contact, sort: &Sort, page: usize) -> String {
        let value = sort.value_of(contact).to_json();
        BASE64.encode(json!([value, contact.key().0, page]).to_string())
    }
}

/// A page of a list. Its JSON is Intercom's `list` object.
pub(crate) struct Page<'a> {
    contacts: Vec<Contact>,
    form: ContactFormat<'a>,
    total_count: usize,
    page: usize,
    per_page: usize,
    next: Option<String>,
}

impl<'a> Page<'a> {
    /// Sorts the contacts, and returns the requested page.
    pub(crate) fn of(
        mut contacts: Vec<Contact>,
        sort: &Sort,
        request: &PageRequest,
        form: ContactFormat<'a>,
    ) -> Self {
        contacts.sort_by(|one, other| {
            sort.compare((sort.value_of(one), one.key()), (sort.value_of(other), other.key()))
        });
        let total_count = contacts.len();
        let from = request.after.as_ref().map_or(0, |cursor| {
            let cut = (Attribute::from_json(&cursor.value), cursor.key);
            contacts.partition_point(|contact| {
                sort.compare((sort.value_of(contact), contact.key()), cut) != Ordering::Greater
            })
        });
        let per_page = request.per_page;
        let page = request.after.as_ref().map_or(1, |cursor| cursor.page.saturating_add(1));
        let more = total_count - from > per_page;
        contacts.drain(..from);
        contacts.truncate(per_page);
        let next = contacts.last().filter(|_| more).map(|last| Cursor::behind(last, sort, page));
        Self { contacts, form, total_count, page, per_page, next }
    }
}

impl Serialize for Page<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct List<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            data: Vec<FormattedContact<'a>>,
            total_count: usize,
            pages: Pages<'a>,
        }
        #[derive(Serialize)]
        struct Pages<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            next: Option<Next<'a>>,
            page: usize,
            per_page: usize,
            total_pages: usize,
        }
        #[derive(Serialize)]
        struct Next<'a> {
            per_page: usize,
            starting_after: &'a str,
        }

        let per_page = self.per_page;
        let next = self.next.as_deref().map(|starting_after| Next { per_page, starting_after });
        let pages = Pages {
            kind: "pages",
            next,
            page: self.page,
            per_page,
            total_pages: self.total_count.div_ceil(per_page),
        };
        let form = self.form;
        let data = self.contacts.iter().map(|contact| FormattedContact { contact, form }).collect();
        let list = List { kind: "list", data, total_count: self.total_count, pages };
        list.serialize(serializer)
    }
}

impl Sort {
    fn value_of<'a>(&'a self, contact: &'a Contact) -> Attribute<'a> {
        self.field.as_ref().map_or(Attribute::Absent, |field: &Field| field.read(contact))
    }

    /// Compares for the list's order. Contacts without a value come first, or last if descending.
    /// Contacts with equal values stay in order of arrival.
    fn compare(
        &self,
        one: (Attribute<'_>, ContactKey),
        other: (Attribute<'_>, ContactKey),
    ) -> Ordering {
        let order = one.0.compare(other.0).then(one.1.cmp(&other.1));
        if self.descending { order.reverse() } else { order }
    }
}
