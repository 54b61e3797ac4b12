//! Plays machines against every environment: a world holds a machine and everything that is under
//! way around it, and can be asked for every move that the user, the wallet, the store, other
//! processes or time could make next.
//!
//! The exhaustive tests of the rules and `moorline graph` are built on it. Everything here is a
//! value: cloning a world is how a path is tried.

mod moves;
mod world;

pub use self::moves::Move;
pub use self::world::{Call, CallKind, Operation, Step, World};
