//! What stores are compared with: the bare cipher, the bare serialiser, the bare disk.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, AeadCore, Generate};
use aes_gcm::{Aes256Gcm, Key, KeyInit, Nonce};
use moorline::store::Record;

type Failure = Box<dyn Error + Send + Sync>;

/// `aes-gcm` and `serde_json`, one after the other.
pub(super) struct Bare(Aes256Gcm);

type FreshNonce = Nonce<<Aes256Gcm as AeadCore>::NonceSize>;

impl Bare {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self(Aes256Gcm::new(&Key::<Aes256Gcm>::generate())))
    }

    pub(super) fn seal(&self, record: &Record) -> Result<(FreshNonce, Vec<u8>), Failure> {
        let nonce = FreshNonce::generate();
        let sealed = self
            .0
            .encrypt(&nonce, serde_json::to_vec(record)?.as_slice());
        Ok((nonce, sealed.map_err(|error| error.to_string())?))
    }

    pub(super) fn open(&self, (nonce, sealed): &(FreshNonce, Vec<u8>)) -> Result<Record, Failure> {
        let plain = self.0.decrypt(nonce, sealed.as_slice());
        Ok(serde_json::from_slice(
            &plain.map_err(|error| error.to_string())?,
        )?)
    }
}

/// Writes 1 KiB beside, flushes it, puts it in place, flushes the folder: so many times.
pub(super) fn commits(folder: &Path, count: u64) -> Result<Duration, Failure> {
    let (beside, place) = (folder.join("bare.tmp"), folder.join("bare"));
    let bytes = [b'x'; 1024];
    let begun = Instant::now();
    for _ in 0..count {
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &place)?;
        File::open(folder)?.sync_all()?;
    }
    Ok(begun.elapsed())
}
