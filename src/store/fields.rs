//! JSON objects whose unknown members survive being read and written again, byte for byte.

use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::identity::AccountId;

/// The members of a JSON object, in order, as they were written.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    /// Takes a member out; the last one if it was written several times.
    pub(super) fn take(&mut self, name: &str) -> Option<Box<RawValue>> {
        let place = self.0.iter().rposition(|(it, _)| it == name)?;
        let (_, value) = self.0.remove(place);
        self.0.retain(|(it, _)| it != name);
        Some(value)
    }

    /// Reads a member and leaves it; `None` if it is not there or something else.
    pub(super) fn peek<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Option<T> {
        let (_, raw) = self.0.iter().rfind(|(it, _)| it == name)?;
        serde_json::from_str(raw.get()).ok()
    }

    /// Takes a member out and reads it; `None` if it is not there or `null`.
    pub(super) fn read<T: for<'a> Deserialize<'a>>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(raw) => serde_json::from_str(raw.get())
                .map_err(|error| format!("`{name}` cannot be read: {}", without_text(&error))),
        }
    }

    /// As [`read`](Self::read), for a member that must be there.
    pub(super) fn need<T: for<'a> Deserialize<'a>>(&mut self, name: &str) -> Result<T, String> {
        self.read(name)?
            .ok_or_else(|| format!("`{name}` is missing"))
    }

    /// What was not taken out.
    pub(super) fn rest(self) -> Unknown {
        Unknown(
            self.0
                .into_iter()
                .map(|(name, value)| (name.into(), Box::<str>::from(value.get()).into()))
                .collect(),
        )
    }
}

/// What is wrong with a text, without the text: it may hold secrets.
pub(super) fn without_text(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io => "it could not be read",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Data => "its value is of the wrong kind",
        serde_json::error::Category::Eof => "it ends too early",
    };
    format!("{what} (column {})", error.column())
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(member) = map.next_entry()? {
                    fields.0.push(member);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Members of an object that this version does not know.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub(super) struct Unknown(Vec<(Arc<str>, Arc<str>)>);

impl Unknown {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them into an object that is being written.
    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, value)| {
            let raw: &RawValue = serde_json::from_str(value).map_err(serde::ser::Error::custom)?;
            map.serialize_entry(&**name, raw)
        })
    }

    /// The same under other names; of two that come to the same name the first stays.
    pub(super) fn renamed(&self, rename: impl Fn(&str) -> String) -> Self {
        let mut renamed = Self::default();
        for (name, value) in &self.0 {
            let name = rename(name);
            if renamed.get(&name).is_none() {
                renamed.0.push((name.into(), value.clone()));
            }
        }
        renamed
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    fn set(&mut self, name: &str, json: &str) {
        self.0.retain(|(it, _)| &**it != name);
        self.0.push((name.into(), json.into()));
    }

    /// The text of one, as it was written.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(it, _)| &**it == name);
        found.map(|(_, value)| &**value)
    }
}

/// Everything in a stored record that this version does not know: kept on the next save.
///
/// What it holds shows nowhere, as it may be secret; its names do.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub struct Extra {
    /// Beside the record.
    pub(super) envelope: Unknown,
    /// In the record.
    pub(super) record: Unknown,
    /// In what is known about it.
    pub(super) about: Unknown,
    /// In its accounts.
    pub(super) accounts: Vec<(AccountId, Unknown)>,
}

impl Extra {
    /// Whether there is nothing unknown.
    pub fn is_empty(&self) -> bool {
        self.envelope.is_empty()
            && self.record.is_empty()
            && self.about.is_empty()
            && self.accounts.is_empty()
    }

    /// The names of the unknown members.
    pub fn names(&self) -> Vec<&str> {
        let accounts = self
            .accounts
            .iter()
            .flat_map(|(_, unknown)| unknown.names());
        let own = self.envelope.names().chain(self.record.names());
        own.chain(self.about.names()).chain(accounts).collect()
    }

    /// The text of an unknown member of the record.
    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        self.record.get(name)
    }

    /// With a member beside those of the record, in place of one of the same name.
    pub(crate) fn with_member(mut self, name: &str, json: &str) -> Self {
        self.record.set(name, json);
        self
    }

    pub(super) fn of_account(&self, id: &AccountId) -> Option<&Unknown> {
        let found = self.accounts.iter().find(|(account, _)| account == id);
        found.map(|(_, unknown)| unknown)
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Extra").field(&self.names()).finish()
    }
}

/// An object made of known members and then unknown ones.
pub(super) struct WithUnknown<'a, T>(pub(super) &'a T, pub(super) Option<&'a Unknown>);

impl<T: Members> Serialize for WithUnknown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.write(&mut map)?;
        if let Some(unknown) = self.1 {
            unknown.write(&mut map)?;
        }
        map.end()
    }
}

/// Known members of an object.
pub(super) trait Members {
    /// Writes them.
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_kept_as_it_was_written() {
        let text = r#"{"a":1,"big": 12345678901234567890123 ,"b":{"z":1.0,"y":[ ]},"a":2}"#;
        let mut fields: Fields = serde_json::from_str(text).unwrap();
        assert_eq!(fields.need::<u8>("a").unwrap(), 2);
        let rest = fields.rest();
        assert_eq!(rest.get("big"), Some("12345678901234567890123"));
        assert_eq!(rest.get("b"), Some(r#"{"z":1.0,"y":[ ]}"#));
        assert_eq!(rest.get("a"), None);
    }

    #[test]
    fn what_is_unknown_does_not_show() {
        let fields: Fields = serde_json::from_str(r#"{"token":"s3cret"}"#).unwrap();
        let extra = Extra {
            record: fields.rest(),
            ..Extra::default()
        };
        assert_eq!(format!("{extra:?}"), r#"Extra(["token"])"#);
    }

    #[test]
    fn a_wrong_member_is_named_and_not_quoted() {
        let mut fields: Fields = serde_json::from_str(r#"{"at":"s3cret"}"#).unwrap();
        let error = fields.need::<u64>("at").unwrap_err();
        assert!(
            error.contains("`at`") && !error.contains("s3cret"),
            "{error}"
        );
    }
}
