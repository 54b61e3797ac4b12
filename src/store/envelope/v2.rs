//! Version 2: this library's own.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Content, attach};
use crate::clock::Timestamp;
use crate::identity::{Account, AccountId, NetworkId};
use crate::provider::ProviderPayload;
use crate::store::fields::{Extra, Fields, Members, Unknown, WithUnknown, without_text};
use crate::store::{About, Intent, Record, RecordName, Tombstone};

/// What is written.
pub(super) struct Envelope<'a> {
    pub(super) content: &'a Content,
    pub(super) extra: Option<&'a Extra>,
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &super::VERSION)?;
        match (self.content, self.extra) {
            (Content::Record(record), None) if record.provider_payload.is_none() => {
                map.serialize_entry("record", record)?;
            }
            (Content::Record(record), extra) => {
                let none = Extra::default();
                let extra = extra.unwrap_or(&none);
                let record = Noted(record, extra);
                map.serialize_entry("record", &WithUnknown(&record, Some(&extra.record)))?;
                extra.envelope.write(&mut map)?;
            }
            (Content::Tombstone(tombstone), _) => map.serialize_entry("tombstone", tombstone)?,
        }
        map.end()
    }
}

/// A record whose accounts carry unknown members.
struct Noted<'a>(&'a Record, &'a Extra);

impl Members for Noted<'_> {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self(record, extra) = self;
        let accounts: Vec<_> = record
            .accounts
            .iter()
            .map(|account| WithUnknown(account, extra.of_account(&account.id)))
            .collect();
        map.serialize_entry("provider", &record.provider)?;
        map.serialize_entry("intent", &record.intent)?;
        map.serialize_entry("accounts", &accounts)?;
        map.serialize_entry("network", &record.network)?;
        map.serialize_entry("connectedAt", &record.connected_at)?;
        map.serialize_entry("expiresAt", &record.expires_at)?;
        map.serialize_entry("generation", &record.generation)?;
        if let Some(about) = &record.about {
            map.serialize_entry("about", &WithUnknown(&**about, Some(&extra.about)))?;
        }
        match &record.provider_payload {
            Some(payload) => {
                let raw: &RawValue = serde_json::from_str(payload.expose_json())
                    .map_err(|_| serde::ser::Error::custom("a payload is not JSON"))?;
                map.serialize_entry("providerPayload", raw)
            }
            None => Ok(()),
        }
    }
}

impl Members for About {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("createdAt", &self.created_at)?;
        map.serialize_entry("updatedAt", &self.updated_at)?;
        map.serialize_entry("lastActiveAt", &self.last_active_at)?;
        for (name, value) in [
            ("label", &self.label),
            ("clientAddress", &self.client_address),
            ("clientAgent", &self.client_agent),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        Ok(())
    }
}

impl Members for Account {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("primary", &self.primary)?;
        match &self.label {
            Some(label) => map.serialize_entry("label", label),
            None => Ok(()),
        }
    }
}

/// Reads an envelope in which nothing is unknown, as nearly all are: in one pass.
pub(super) fn decode_plain(bytes: &[u8]) -> Option<(RecordName, Content)> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: RecordName,
        envelope: Plain,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Plain {
        version: u64,
        record: Option<PlainRecord>,
        tombstone: Option<Tombstone>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct PlainRecord {
        provider: Arc<str>,
        intent: Intent,
        accounts: Vec<PlainAccount>,
        network: Option<NetworkId>,
        connected_at: Timestamp,
        expires_at: Option<Timestamp>,
        generation: u64,
        about: Option<PlainAbout>,
        provider_payload: Option<Box<RawValue>>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct PlainAbout {
        created_at: Timestamp,
        updated_at: Timestamp,
        last_active_at: Timestamp,
        label: Option<Arc<str>>,
        client_address: Option<Arc<str>>,
        client_agent: Option<Arc<str>>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct PlainAccount {
        id: AccountId,
        primary: bool,
        label: Option<Arc<str>>,
    }
    let Outer { name, envelope } = serde_json::from_slice(bytes).ok()?;
    let content = match envelope {
        Plain {
            version: 2,
            record: Some(it),
            tombstone: None,
        } => {
            let accounts = it.accounts.into_iter().map(|it| Account {
                id: it.id,
                primary: it.primary,
                label: it.label,
            });
            Content::Record(Record {
                provider: it.provider,
                intent: it.intent,
                accounts: accounts.collect(),
                network: it.network,
                connected_at: it.connected_at,
                expires_at: it.expires_at,
                generation: it.generation,
                about: it.about.map(|it| {
                    Arc::new(About {
                        created_at: it.created_at,
                        updated_at: it.updated_at,
                        last_active_at: it.last_active_at,
                        label: it.label,
                        client_address: it.client_address,
                        client_agent: it.client_agent,
                    })
                }),
                provider_payload: it.provider_payload.and_then(|raw| payload(&raw)),
                extra: None,
            })
        }
        Plain {
            version: 2,
            record: None,
            tombstone: Some(tombstone),
        } => Content::Tombstone(tombstone),
        _ => return None,
    };
    Some((name, content))
}

/// Reads an envelope of this version and keeps what is unknown.
pub(super) fn decode(mut fields: Fields) -> Result<Content, String> {
    let record: Option<Fields> = fields.read("record")?;
    let tombstone: Option<Tombstone> = fields.read("tombstone")?;
    match (record, tombstone) {
        (None, Some(tombstone)) => Ok(Content::Tombstone(tombstone)),
        (Some(record), None) => {
            let mut extra = Extra {
                envelope: fields.rest(),
                ..Extra::default()
            };
            let mut record = read_record(record, &mut extra)?;
            attach(&mut record, extra);
            Ok(Content::Record(record))
        }
        (Some(_), Some(_)) => Err("it is a record and the end of one at once".into()),
        (None, None) => Err("it holds neither a record nor the end of one".into()),
    }
}

fn read_record(mut fields: Fields, extra: &mut Extra) -> Result<Record, String> {
    let accounts: Vec<Box<RawValue>> = fields.need("accounts")?;
    let mut list = Vec::with_capacity(accounts.len());
    for (index, raw) in accounts.iter().enumerate() {
        let (account, unknown) =
            read_account(raw).map_err(|why| format!("account {index}: {why}"))?;
        if !unknown.is_empty() {
            extra.accounts.push((account.id.clone(), unknown));
        }
        list.push(account);
    }
    let about = match fields.read("about")? {
        Some(about) => {
            let (about, unknown) = read_about(about).map_err(|why| format!("`about`: {why}"))?;
            extra.about = unknown;
            Some(Arc::new(about))
        }
        None => None,
    };
    let record = Record {
        provider: fields.need("provider")?,
        intent: fields.need("intent")?,
        accounts: list.into(),
        network: fields.read("network")?,
        connected_at: fields.need("connectedAt")?,
        expires_at: fields.read("expiresAt")?,
        generation: fields.need("generation")?,
        about,
        provider_payload: fields.take("providerPayload").and_then(|raw| payload(&raw)),
        extra: None,
    };
    extra.record = fields.rest();
    Ok(record)
}

fn read_about(mut fields: Fields) -> Result<(About, Unknown), String> {
    let about = About {
        created_at: fields.need("createdAt")?,
        updated_at: fields.need("updatedAt")?,
        last_active_at: fields.need("lastActiveAt")?,
        label: fields.read("label")?,
        client_address: fields.read("clientAddress")?,
        client_agent: fields.read("clientAgent")?,
    };
    Ok((about, fields.rest()))
}

/// Any JSON is kept; `null` is nothing.
fn payload(raw: &RawValue) -> Option<ProviderPayload> {
    let payload = ProviderPayload::from_json(raw.get()).ok();
    payload.filter(|payload| payload.expose_json() != "null")
}

fn read_account(raw: &RawValue) -> Result<(Account, Unknown), String> {
    let mut fields: Fields =
        serde_json::from_str(raw.get()).map_err(|error| without_text(&error))?;
    let account = Account {
        id: fields.need("id")?,
        primary: fields.read("primary")?.unwrap_or_default(),
        label: fields.read("label")?,
    };
    Ok((account, fields.rest()))
}
