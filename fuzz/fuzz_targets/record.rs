//! Sealed records, whoever wrote them: read or refused, and never lost.

#![no_main]

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use moorline::store::backend::{Backend, Blob, Memory, Slot};
use moorline::store::keys::{KeyError, KeyFuture, KeyId, KeySet};
use moorline::store::{EncryptedStore, KeySource, Record, RecordName, Revision, Store};
use moorline::{Account, Timestamp};

/// Always the same key.
struct Fixed;

impl KeySource for Fixed {
    fn describe(&self) -> String {
        "a fixed key".into()
    }

    fn load(&self) -> KeyFuture<'_, Option<KeySet>> {
        Box::pin(async { Ok(Some(KeySet::from_key([7; 32]))) })
    }

    fn create(&self) -> KeyFuture<'_, KeySet> {
        Box::pin(async { Ok(KeySet::from_key([7; 32])) })
    }

    fn replace(&self, _: KeyId, _: KeySet) -> KeyFuture<'_, KeySet> {
        Box::pin(async { Err(KeyError::read_only("a fixed key")) })
    }
}

fn at_once<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("memory does not wait"),
    }
}

fn store(memory: &Memory) -> EncryptedStore<Memory> {
    EncryptedStore::new(memory.clone(), Fixed, "fuzz")
}

/// A good record, and where it stands.
static GOOD: LazyLock<(Slot, Blob)> = LazyLock::new(|| {
    let memory = Memory::new();
    let accounts = vec![Account::primary("alice")];
    let record = Record::new("fuzz", accounts, None, Timestamp::EPOCH);
    at_once(store(&memory).save(&RecordName::from("s"), record, Revision::NONE)).unwrap();
    let slot = at_once(memory.list()).unwrap()[0];
    (slot, at_once(memory.get(slot)).unwrap().unwrap())
});

libfuzzer_sys::fuzz_target!(|input: (bool, u16, Vec<u8>)| {
    let (whole, place, bytes) = input;
    let (slot, good) = &*GOOD;
    let mut blob = good.clone();
    if whole {
        blob.bytes = bytes;
    } else {
        // Written over somewhere: most of it is as it was.
        let place = usize::from(place) % (blob.bytes.len() + 1);
        let end = (place + bytes.len()).min(blob.bytes.len());
        blob.bytes.splice(place..end, bytes);
    }
    let memory = Memory::new();
    memory.overwrite(*slot, blob.clone());
    let read = at_once(store(&memory).load(&RecordName::from("s")));
    assert_eq!(read.is_ok(), blob == *good);
    assert_eq!(at_once(memory.get(*slot)).unwrap(), Some(blob));
});
