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
use super::draft::Draft;
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
        let mut sealed = Draft::new();
        self.append(&mut sealed, bound, |to| {
            to.push(plain);
            Ok(())
        })?;
        Ok(sealed.into_bytes())
    }

    /// Seals what `write` writes, where it stands.
    fn append(
        &self,
        to: &mut Draft,
        bound: &[u8],
        write: impl FnOnce(&mut Draft) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| format!("the computer gives no random numbers: {error}"))?;
        to.push(&nonce);
        let start = to.len();
        write(to)?;
        let text = InOutBuf::from(to.after(start));
        let tag = self
            .0
            .encrypt_inout_detached(&nonce.into(), bound, text)
            .map_err(|_| "it is too long to be sealed".to_owned())?;
        to.push(&tag);
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
    fn write(self, mut put: impl FnMut(&[u8])) {
        put(MAGIC);
        put(&[FORMAT]);
        put(&self.schema.to_be_bytes());
        put(self.key.as_bytes());
        put(&self.revision.to_be_bytes());
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
        self.write(|bytes| bound.extend_from_slice(bytes));
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

/// Seals the envelope that `write` writes.
pub(super) fn seal(
    cipher: &Cipher,
    key: KeyId,
    schema: u16,
    place: Place<'_>,
    write: impl FnOnce(&mut Draft) -> Result<(), String>,
) -> Result<Vec<u8>, String> {
    let head = Head {
        schema,
        key,
        revision: place.revision,
    };
    let mut sealed = Draft::new();
    head.write(|bytes| sealed.push(bytes));
    cipher.append(&mut sealed, &head.bound(place), write)?;
    Ok(sealed.into_bytes())
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

#[cfg(test)]
mod tests {
    use aes_gcm::aead::{Aead, Payload};

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    /// Taken apart by hand, as the page of this file says it is put together.
    #[test]
    fn a_sealed_record_is_laid_out_as_it_always_was() {
        let (key, slot) = (KeyId::from_bytes(*b"key id 1"), Slot::new([9; 32]));
        let place = Place {
            application: "shop",
            slot,
            revision: 0x0102,
        };
        for length in [0, 1, 1000, 5000] {
            let plain = vec![b'p'; length];
            let write = |to: &mut Draft| {
                to.push(&plain);
                Ok(())
            };
            let sealed = seal(&Cipher::new(&KEY), key, 2, place, write).unwrap();
            assert_eq!(sealed.capacity(), sealed.len());
            let head = b"MOOR\x01\x00\x02key id 1\0\0\0\0\0\0\x01\x02";
            let rest = sealed.strip_prefix(head).unwrap();
            let (nonce, rest) = rest.split_first_chunk::<12>().unwrap();
            assert_eq!(rest.len(), length + 16);
            let aad = [head, &b"\0\0\0\0\0\0\0\x04shop"[..], &[9; 32]].concat();
            let payload = Payload {
                msg: rest,
                aad: &aad,
            };
            let opened = Aes256Gcm::new(&KEY.into()).decrypt(&(*nonce).into(), payload);
            assert_eq!(opened.unwrap(), plain);
            let opened = open(
                &Cipher::new(&KEY),
                Head::read(&sealed).unwrap(),
                place,
                sealed,
            );
            assert_eq!(*opened.unwrap(), plain);
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_sealed() {
        let place = Place {
            application: "shop",
            slot: Slot::new([9; 32]),
            revision: 1,
        };
        let key = KeyId::from_bytes(*b"key id 1");
        let write = |to: &mut Draft| {
            to.push(b"half of it");
            Err("it broke off".to_owned())
        };
        let sealed = seal(&Cipher::new(&KEY), key, 2, place, write);
        assert_eq!(sealed.unwrap_err(), "it broke off");
    }
}
