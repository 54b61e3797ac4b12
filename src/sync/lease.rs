//! Leases: which process holds what.

mod builder;
mod calls;
mod driver;
mod error;
mod held;
mod leases;
pub mod machine;
mod member;
mod news;
mod standing;
mod wire;

pub use self::builder::LeasesBuilder;
pub use self::error::LeaseError;
pub use self::held::Lease;
pub use self::leases::Leases;
pub use self::member::{Member, MemberId};
pub use self::news::{LeaseNews, News};
