//! The accounts of a program that used the Nostr Development Kit, taken over: keys are sealed, every
//! account is back, and what NDK reads can be written again.
//!
//! `cargo run --example ndk [FILE OUT]`: FILE is one that `@nostr-dev-kit/sessions` keeps, OUT a new
//! one for it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use moorline::manager::SessionManager;
use moorline::manager::ndk::{NdkFile, NdkSessions};
use moorline::provider::{
    CloseMode, ErrorKind, EventSink, Live, OpenRequest, Opened, Provider, ProviderError,
    ProviderFuture, ProviderPayload, Request,
};
use moorline::store::backend::Memory;
use moorline::store::{EncryptedStore, KeyFile};
use moorline::{Account, Timestamp};
use secrecy::ExposeSecret;
use serde_json::Value;

const SAMPLE: &str = include_str!("../tests/ndk/vectors/filestorage-sample.json");

/// Where the program's Nostr library signs.
struct NostrSigner {
    pubkey: String,
    payload: Option<ProviderPayload>,
}

impl Provider for NostrSigner {
    fn kind(&self) -> &str {
        "private-key"
    }

    fn open(&self, _: OpenRequest, _: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(async { Ok(Opened::Established) })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async { Ok(Live::new(vec![Account::primary(self.pubkey.as_str())])) })
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        let error = format!("call your Nostr library for `{}` here", request.method);
        Box::pin(async { Err(ProviderError::new(ErrorKind::Unsupported, error).not_sent()) })
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    // The key, as it was stored.
    fn payload(&self) -> Result<Option<ProviderPayload>, ProviderError> {
        Ok(self.payload.clone())
    }
}

/// Where the key is, with what belongs to it; removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let text = args.next().map(std::fs::read_to_string).transpose()?;
    let file = NdkFile::read(text.as_deref().unwrap_or(SAMPLE))?;
    let name = format!("moorline-ndk-example-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    let key = KeyFile::new(folder.0.join("key"));
    let store = EncryptedStore::new(Memory::new(), key, "example");
    let now = || Timestamp::from(std::time::SystemTime::now());
    NdkSessions::of(&store).import(&file, now()).await?;

    let manager = SessionManager::builder()
        .store(store.clone())
        .provider("private-key", |record| {
            let pubkey = record.identity().map(|it| it.account.to_string());
            Ok(Arc::new(NostrSigner {
                pubkey: pubkey.unwrap_or_default(),
                payload: record.provider_payload.clone(),
            }))
        })
        .build()?;
    let report = manager.restore().await?;
    println!("{} sessions are back", report.restored());
    for session in manager.sessions() {
        let how = if session.is_read_only() {
            "watches"
        } else {
            "signs"
        };
        println!(
            "{} {how}, last used at {}",
            session.account(),
            session.last_active()
        );
    }
    if let Ok(active) = manager.active() {
        println!("{} is active", active.account());
    }
    manager.close().await;

    let exported = NdkSessions::of(&store).export(now()).await?;
    let text = exported.file.write();
    match args.next() {
        Some(out) => write_new(&out, text.expose_secret())?,
        None => assert_eq!(text.expose_secret(), SAMPLE),
    }
    Ok(())
}

/// Keys in clear: nobody else reads them, and nothing is written over.
fn write_new(path: &str, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
