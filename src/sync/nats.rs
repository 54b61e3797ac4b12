//! Records in a key-value bucket of NATS JetStream, shared by a cluster.
//!
//! A [`Bucket`] is a [`Backend`](crate::store::backend::Backend): put an
//! [`EncryptedStore`](crate::store::EncryptedStore) on it, and every process that opens the same
//! bucket shares the sessions in it. Another bucket carries leases.
//!
//! - Every write is one compare-and-swap: it names the sequence number of the message that it
//!   replaces, and the server refuses it if another came first.
//! - Reads are answered by the leader of the bucket's stream, never by a replica that may be
//!   behind.
//! - [`changes`](crate::store::backend::Backend::changes) hears what the stream took, in order.
//! - The connection is made again when it is lost. A call made meanwhile waits, until its deadline.
//! - A call whose outcome is not known (the connection was lost, the deadline came) is
//!   [`Unavailable`](crate::store::backend::BackendError::Unavailable): the write may have taken
//!   effect. Read before writing again.
//! - What is acknowledged survives the end of the server's process. Against a crash of its
//!   computer it takes three [`replicas`](BucketBuilder::replicas) on different ones, or
//!   `sync_interval: always` in the server's configuration (2.10 or later): by default JetStream
//!   flushes to the disk every two minutes only.
//!
//! Needs nats-server 2.9 or later with JetStream on.
//!
//! ```no_run
//! use moorline::store::{EncryptedStore, KeyFile};
//! use moorline::sync::nats::Bucket;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let bucket = Bucket::builder("tls://shop:secret@nats-1.internal,tls://nats-2.internal")
//!     .bucket("shop-sessions")
//!     .replicas(3)
//!     .open()
//!     .await?;
//! let store = EncryptedStore::new(bucket, KeyFile::new("/etc/shop/session.key"), "shop");
//! # Ok(())
//! # }
//! ```

mod address;
mod bucket;
mod builder;
mod entry;
mod known;
mod link;
mod watch;

pub use self::bucket::Bucket;
pub use self::builder::BucketBuilder;
