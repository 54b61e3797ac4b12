//! Sealing: AES-256-GCM (NIST SP 800-38D) with a fresh random nonce for every write.
//!
//! A sealed record is `MOOR`, the format, the envelope's version, the key's id and the revision,
//! then nonce, ciphertext and tag. All of the head is authenticated, and with it the application
//! and the slot: a record moved to another place, another application or another revision does not
//! open.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use zeroize::Zeroizing;

use super::backend::Slot;
use super::keys::KeyId;

const MAGIC: &[u8; 4] = b"MOOR";
const FORMAT: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
/// Magic, format, schema, key id, revision.
const HEAD: usize = 4 + 1 + 2 + 8 + 8;

/// A key that is ready to seal and open.
pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Nonce, ciphertext and tag.
    #[cfg(feature = "passphrase")]
    pub(super) fn seal(&self, plain: &[u8], bound: &[u8]) -> Result<Vec<u8>, String> {
        let mut sealed = Vec::with_capacity(NONCE + plain.len() + TAG);
        self.append(plain, bound, &mut sealed)?;
        Ok(sealed)
    }

    fn append(&self, plain: &[u8], bound: &[u8], to: &mut Vec<u8>) -> Result<(), String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| format!("the computer gives no random numbers: {error}"))?;
        to.extend_from_slice(&nonce);
        let start = to.len();
        to.extend_from_slice(plain);
        let text = to.get_mut(start..).unwrap_or_default();
        let tag = self
            .0
            .encrypt_inout_detached(&nonce.into(), bound, InOutBuf::from(text))
            .map_err(|_| "it is too long to be sealed".to_owned())?;
        to.extend_from_slice(&tag);
        Ok(())
    }

    /// What was sealed; `None` if it was not sealed like this.
    #[cfg(feature = "passphrase")]
    pub(super) fn open(&self, sealed: Vec<u8>, bound: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.open_after(0, sealed, bound)
    }

    /// As [`open`](Self::open), where something else stands in front.
    fn open_after(
        &self,
        head: usize,
        mut sealed: Vec<u8>,
        bound: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let end = sealed.len().checked_sub(TAG)?;
        let tag: [u8; TAG] = sealed.get(end..)?.try_into().ok()?;
        let text = sealed.get_mut(head..end)?;
        let (nonce, text) = text.split_at_mut_checked(NONCE)?;
        let nonce: [u8; NONCE] = (&*nonce).try_into().ok()?;
        let (nonce, tag): (Nonce<_>, Tag) = (nonce.into(), tag.into());
        self.0
            .decrypt_inout_detached(&nonce, bound, InOutBuf::from(text), &tag)
            .ok()?;
        sealed.truncate(end);
        sealed.drain(..head + NONCE);
        Some(Zeroizing::new(sealed))
    }
}

/// What a record is bound to.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) application: &'a str,
    pub(super) slot: Slot,
    pub(super) revision: u64,
}

/// The head of a sealed record: in clear, and authenticated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) schema: u16,
    pub(super) key: KeyId,
    pub(super) revision: u64,
}

impl Head {
    fn write(self, to: &mut Vec<u8>) {
        to.extend_from_slice(MAGIC);
        to.push(FORMAT);
        to.extend_from_slice(&self.schema.to_be_bytes());
        to.extend_from_slice(self.key.as_bytes());
        to.extend_from_slice(&self.revision.to_be_bytes());
    }

    /// Reads the head. The error says why this is no sealed record.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let Some(rest) = bytes.strip_prefix(MAGIC.as_slice()) else {
            return Err("it is not a sealed record".into());
        };
        let (format, rest) = take::<1>(rest)?;
        if format != [FORMAT] {
            let [format] = format;
            return Err(format!(
                "it is sealed in format {format}, and this version knows {FORMAT}"
            ));
        }
        let (schema, rest) = take::<2>(rest)?;
        let (key, rest) = take::<8>(rest)?;
        let (revision, _) = take::<8>(rest)?;
        Ok(Self {
            schema: u16::from_be_bytes(schema),
            key: KeyId::from_bytes(key),
            revision: u64::from_be_bytes(revision),
        })
    }

    /// Everything the tag covers beside the text.
    fn bound(self, place: Place<'_>) -> Vec<u8> {
        let application = place.application.as_bytes();
        let mut bound = Vec::with_capacity(HEAD + 8 + application.len() + 32);
        self.write(&mut bound);
        bound.extend_from_slice(&(application.len() as u64).to_be_bytes());
        bound.extend_from_slice(application);
        bound.extend_from_slice(place.slot.as_bytes());
        bound
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), String> {
    bytes
        .split_first_chunk::<N>()
        .map(|(taken, rest)| (*taken, rest))
        .ok_or_else(|| "it is cut short".into())
}

/// Seals an envelope.
pub(super) fn seal(
    cipher: &Cipher,
    key: KeyId,
    schema: u16,
    place: Place<'_>,
    plain: &[u8],
) -> Result<Vec<u8>, String> {
    let head = Head {
        schema,
        key,
        revision: place.revision,
    };
    let mut sealed = Vec::with_capacity(HEAD + NONCE + plain.len() + TAG);
    head.write(&mut sealed);
    cipher.append(plain, &head.bound(place), &mut sealed)?;
    Ok(sealed)
}

/// Opens a sealed record whose head was read.
pub(super) fn open(
    cipher: &Cipher,
    head: Head,
    place: Place<'_>,
    bytes: Vec<u8>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    if head.revision != place.revision {
        return Err(format!(
            "it says revision {} and stands at revision {}",
            head.revision, place.revision
        ));
    }
    if bytes.len() < HEAD + NONCE + TAG {
        return Err("it is cut short".into());
    }
    let opened = cipher.open_after(HEAD, bytes, &head.bound(place));
    opened.ok_or_else(|| {
        "it was changed, damaged, or belongs to another record or application".into()
    })
}
