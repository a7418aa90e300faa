//! Reads the members that a rule needs, without copying the others. Most requests bring an event,
//! so this path is hot.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::{Findings, Member, Members, text, twice};
use crate::json::Json;
use crate::refusal::Refusal;

/// The selected keys, each with its value.
pub(super) struct SelectedMembers<'a, const N: usize> {
    keys: &'static [&'static str; N],
    slots: [Slot<'a>; N],
}

enum Slot<'a> {
    Absent,
    Once(Json<'a>),
    Twice,
}

impl<'a, const N: usize> SelectedMembers<'a, N> {
    /// Parses a body that must be one JSON object.
    pub(super) fn parse(body: &'a [u8], keys: &'static [&'static str; N]) -> Result<Self, Refusal> {
        let mut json = serde_json::Deserializer::from_str(Members::text(body)?);
        let slots =
            Object(keys).deserialize(&mut json).and_then(|slots| json.end().map(|()| slots));
        match slots {
            Ok(slots) => Ok(Self { keys, slots }),
            // `Members`, which parses the whole body, reports the mistake.
            Err(error) => Err(match Members::parse(body) {
                Err(refusal) => refusal,
                Ok(_) => Members::not_json(body, &error),
            }),
        }
    }

    /// Takes a member. Refuses a repeated member, because no rule says which one counts.
    pub(super) fn take(&mut self, key: &str, findings: &mut Findings) -> Member<Json<'a>> {
        let slot =
            self.keys.iter().position(|selected| *selected == key).map(|at| &mut self.slots[at]);
        match slot.map(|slot| std::mem::replace(slot, Slot::Absent)) {
            None | Some(Slot::Absent) => Member::Absent,
            Some(Slot::Once(value)) => Member::Given(value),
            Some(Slot::Twice) => twice(key, findings),
        }
    }

    /// Takes a string that must not be blank.
    pub(super) fn take_text(&mut self, key: &str, findings: &mut Findings) -> Member<Cow<'a, str>> {
        let taken = self.take(key, findings);
        text(key, taken, findings)
    }
}

/// An object with these keys, and others.
struct Object<const N: usize>(&'static [&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Object<N> {
    type Value = [Slot<'de>; N];

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<[Slot<'de>; N], D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Object<N> {
    type Value = [Slot<'de>; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<[Slot<'de>; N], A::Error> {
        let mut slots = [const { Slot::Absent }; N];
        while let Some(place) = access.next_key_seed(MemberPlace(self.0))? {
            let Some(slot) = place.and_then(|place| slots.get_mut(place)) else {
                access.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = access.next_value()?;
            *slot = match slot {
                Slot::Absent => Slot::Once(value),
                Slot::Once(_) | Slot::Twice => Slot::Twice,
            };
        }
        Ok(slots)
    }
}

/// Finds the index of a selected key.
struct MemberPlace<const N: usize>(&'static [&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for MemberPlace<N> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for MemberPlace<N> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|selected| *selected == key))
    }
}
