//! Version 1: the plaintext session of browser session managers for Canton,
//! `{version: 1, account, accounts, networkId, connectedAt, expiresAt?}`, times in milliseconds.
//!
//! Read so that their users can move over, and written so that they can move back.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Content, FormatError, attach, wrong};
use crate::clock::Timestamp;
use crate::identity::{Account, AccountId, NetworkId, primary_account};
use crate::store::fields::{Extra, Fields, Members, Unknown, WithUnknown, without_text};
use crate::store::{Intent, Record};

/// The wallet protocol of such a session: they know no other.
const PROVIDER: &str = "cip0103";
/// The latest time that is not a mistake of seconds, milliseconds and microseconds: year 9999.
const LATEST: u64 = 253_402_300_799_999;

/// What each version itself calls the members of a session, and of an account. One that the other
/// version does not know by a name that means something else to it goes there under a name with this
/// version before it, and comes back under its own.
struct Names {
    version: &'static str,
    session: &'static [&'static str],
    account: &'static [&'static str],
}

const ONE: Names = Names {
    version: "v1:",
    session: &[
        "version",
        "account",
        "accounts",
        "networkId",
        "connectedAt",
        "expiresAt",
    ],
    account: &["primary", "partyId", "hint"],
};

const TWO: Names = Names {
    version: "v2:",
    session: &[
        "provider",
        "intent",
        "accounts",
        "network",
        "connectedAt",
        "expiresAt",
        "generation",
        "about",
        "providerPayload",
    ],
    account: &["id", "primary", "label"],
};

impl Names {
    /// What a member that `from` does not know is called here; `own` is what is known here.
    fn call(&self, name: &str, own: &[&str], from: &Self) -> String {
        let free = |name: &str| !own.contains(&name) && !name.starts_with(from.version);
        match name.strip_prefix(self.version).filter(|name| free(name)) {
            Some(back) => back.into(),
            None if free(name) => name.into(),
            None => format!("{}{name}", from.version),
        }
    }
}

/// Brings a version 1 session forward to version 2.
pub(super) fn to_v2(mut fields: Fields) -> Result<Content, FormatError> {
    let raw: Vec<Box<RawValue>> = fields.need("accounts").map_err(wrong)?;
    let primary: Option<Box<RawValue>> = fields.read("account").map_err(wrong)?;
    let network: Option<NetworkId> = fields.read("networkId").map_err(wrong)?;
    let connected_at =
        time(&mut fields, "connectedAt")?.ok_or_else(|| wrong("`connectedAt` is missing"))?;
    let expires_at = time(&mut fields, "expiresAt")?;
    if expires_at.is_some_and(|expires_at| expires_at < connected_at) {
        return Err(wrong("`expiresAt` is before `connectedAt`"));
    }
    let network = network.filter(|network| !network.as_str().is_empty());
    let (mut accounts, mut extra) = (Vec::new(), Extra::default());
    for (index, raw) in raw.iter().enumerate() {
        let in_list = |error: FormatError| wrong(format!("account {index}: {}", error.reason));
        let (account, unknown) = read_account(raw, network.as_ref()).map_err(in_list)?;
        if accounts.iter().any(|it: &Account| it.id == account.id) {
            return Err(wrong(format!("account {index} is listed twice")));
        }
        let unknown = unknown.renamed(|name| TWO.call(name, TWO.account, &ONE));
        extra.accounts.push((account.id.clone(), unknown));
        accounts.push(account);
    }
    if let Some(primary) = primary {
        let (primary, _) = read_account(&primary, None)
            .map_err(|error| wrong(format!("`account`: {}", error.reason)))?;
        if !accounts.iter().any(|account| account.id == primary.id) {
            return Err(wrong("`account` is not one of `accounts`"));
        }
        for account in &mut accounts {
            account.primary = account.id == primary.id;
        }
    }
    if accounts.is_empty() {
        return Err(wrong("it names no account"));
    }
    let unknown = fields.rest();
    extra.record = unknown.renamed(|name| TWO.call(name, TWO.session, &ONE));
    extra.accounts.retain(|(_, unknown)| !unknown.is_empty());
    let mut record = Record {
        provider: PROVIDER.into(),
        intent: Intent::Connected,
        accounts: accounts.into(),
        network,
        connected_at,
        expires_at,
        generation: 0,
        about: None,
        provider_payload: None,
        extra: None,
    };
    attach(&mut record, extra);
    Ok(Content::Record(record))
}

fn time(fields: &mut Fields, name: &str) -> Result<Option<Timestamp>, FormatError> {
    match fields.read::<f64>(name).map_err(wrong)? {
        None => Ok(None),
        Some(millis) if (0.0..=LATEST as f64).contains(&millis) => {
            Ok(Some(Timestamp::from_millis(millis as u64)))
        }
        Some(_) => Err(wrong(format!(
            "`{name}` is not a time in milliseconds since 1970"
        ))),
    }
}

/// `network` is the session's: an account that names the same tells nothing more.
fn read_account(
    raw: &RawValue,
    network: Option<&NetworkId>,
) -> Result<(Account, Unknown), FormatError> {
    let mut fields: Fields =
        serde_json::from_str(raw.get()).map_err(|error| wrong(without_text(&error)))?;
    let id: AccountId = fields.need("partyId").map_err(wrong)?;
    if id.as_str().is_empty() {
        return Err(wrong("`partyId` is empty"));
    }
    let account = Account {
        id,
        primary: fields.read("primary").map_err(wrong)?.unwrap_or_default(),
        label: fields.read("hint").map_err(wrong)?,
    };
    if fields.peek::<NetworkId>("networkId").as_ref() == network {
        fields.take("networkId");
    }
    Ok((account, fields.rest()))
}

/// Writes a record as a plaintext session of version 1. It holds party ids in clear: keep it as
/// you would keep them.
///
/// # Errors
///
/// [`FormatError`] if the record names no account, or belongs to a wallet protocol that version 1
/// does not know.
pub fn export_v1(record: &Record) -> Result<String, FormatError> {
    if &*record.provider != PROVIDER {
        return Err(wrong(format!(
            "version 1 holds sessions of `{PROVIDER}` wallets only, this is one of `{}`",
            record.provider
        )));
    }
    let primary =
        primary_account(&record.accounts).ok_or_else(|| wrong("the record names no account"))?;
    serde_json::to_string(&Session { record, primary })
        .map_err(|error| wrong(format!("it cannot be written: {error}")))
}

struct Session<'a> {
    record: &'a Record,
    primary: &'a Account,
}

impl Serialize for Session<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { record, primary } = self;
        let extra = record.extra.as_deref();
        let accounts: Vec<Exported<'_>> = record
            .accounts
            .iter()
            .map(|account| Exported {
                account,
                primary: account.id == primary.id,
                network: record.network.as_ref(),
                unknown: extra
                    .and_then(|extra| extra.of_account(&account.id))
                    .map(|unknown| unknown.renamed(|name| ONE.call(name, ONE.account, &TWO))),
            })
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &1)?;
        if let Some(account) = accounts.iter().find(|it| it.primary) {
            map.serialize_entry("account", &WithUnknown(account, account.unknown.as_ref()))?;
        }
        let all: Vec<_> = accounts
            .iter()
            .map(|it| WithUnknown(it, it.unknown.as_ref()))
            .collect();
        map.serialize_entry("accounts", &all)?;
        map.serialize_entry("networkId", &record.network)?;
        map.serialize_entry("connectedAt", &record.connected_at.as_millis())?;
        if let Some(expires_at) = record.expires_at {
            map.serialize_entry("expiresAt", &expires_at.as_millis())?;
        }
        if let Some(extra) = extra {
            let unknown = &extra.record;
            let unknown = unknown.renamed(|name| ONE.call(name, ONE.session, &TWO));
            unknown.write(&mut map)?;
        }
        map.end()
    }
}

struct Exported<'a> {
    account: &'a Account,
    primary: bool,
    network: Option<&'a NetworkId>,
    unknown: Option<Unknown>,
}

impl Members for Exported<'_> {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("primary", &self.primary)?;
        map.serialize_entry("partyId", &self.account.id)?;
        if let Some(label) = &self.account.label {
            map.serialize_entry("hint", label)?;
        }
        // Kept among the unknown members where the account came with one.
        let own = self.unknown.as_ref();
        let own = own.and_then(|unknown| unknown.get("networkId"));
        match (own, self.network) {
            (None, Some(network)) => map.serialize_entry("networkId", network),
            _ => Ok(()),
        }
    }
}
