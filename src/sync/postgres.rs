//! Records in a table of PostgreSQL, shared by a cluster.
//!
//! A [`Table`] is a [`Backend`](crate::store::backend::Backend): put an
//! [`EncryptedStore`](crate::store::EncryptedStore) on it, and every process that opens the same
//! table shares the sessions in it. Another table carries leases.
//!
//! - Every write is one compare-and-swap in one transaction, on the disk of the server before it
//!   counts: `synchronous_commit` is raised to `on` for these connections where it is lower.
//! - Writes of one process that come at the same time travel in one transaction: they share the
//!   flush to the disk, and each still succeeds or fails alone.
//! - News travels by `NOTIFY` in the transaction of the write, so that none is told that was not
//!   written; [`changes`](crate::store::backend::Backend::changes) hears it on a connection of its
//!   own.
//! - Connections are made again when they are lost. A call made meanwhile waits, until its
//!   deadline.
//! - A call whose outcome is not known (the connection was lost, the deadline came) is
//!   [`Unavailable`](crate::store::backend::BackendError::Unavailable): the write may have taken
//!   effect. Read before writing again.
//!
//! Needs PostgreSQL 11 or later, spoken to directly or through a pooler in session mode: prepared
//! statements and `LISTEN` do not survive pooling by transaction.
//!
//! ```no_run
//! use moorline::store::{EncryptedStore, KeyFile};
//! use moorline::sync::postgres::Table;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let table = Table::builder("postgres://shop:secret@db.internal/shop?sslmode=require")
//!     .table("shop_sessions")
//!     .open()
//!     .await?;
//! let store = EncryptedStore::new(table, KeyFile::new("/etc/shop/session.key"), "shop");
//! # Ok(())
//! # }
//! ```

mod builder;
mod connector;
mod link;
mod listen;
mod schema;
mod statements;
mod table;
mod writer;

pub use self::builder::TableBuilder;
pub use self::table::Table;
