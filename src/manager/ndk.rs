//! Sessions from and for the Nostr Development Kit: its files, byte for byte.
//!
//! [`NdkFile`] is what `@nostr-dev-kit/sessions` keeps in a file or in a browser, and
//! [`SecureStoreItems`] what NDK Mobile keeps on a device. [`NdkSessions`] imports it into the
//! store of a [`SessionManager`](super::SessionManager), where signers are encrypted, and exports
//! it again.
//!
//! ```
//! use moorline::Timestamp;
//! use moorline::manager::ndk::{NdkFile, NdkSessions};
//! use moorline::store::MemoryStore;
//! use secrecy::ExposeSecret;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let text = "{\n  \"sessions\": [],\n  \"version\": 1,\n  \"updatedAt\": 1795196888226\n}";
//! let store = MemoryStore::new();
//! let now = Timestamp::from(std::time::SystemTime::now());
//! let ndk = NdkSessions::of(&store);
//! ndk.import(&NdkFile::read(text)?, now).await?;
//! let exported = ndk.export(now).await?;
//! assert_eq!(exported.file.write().expose_secret(), text);
//! # Ok(())
//! # }
//! ```

mod error;
mod export;
mod file;
mod import;
mod json;
mod secure_store;
mod session;
mod signer;
mod transfer;

pub use self::error::NdkError;
pub use self::export::{LeftOut, NdkExported};
pub use self::file::NdkFile;
pub use self::import::{ImportOutcome, ImportedSession, NdkImported};
pub use self::secure_store::SecureStoreItems;
pub use self::session::NdkSession;
pub use self::signer::{Nip46Signer, Signer, SignerPayload};
pub use self::transfer::NdkSessions;
