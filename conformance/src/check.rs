//! What a check is, and what comes of it.

use std::fmt;

use crate::evidence::Evidence;

/// One thing a wallet must, should or may do.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Check {
    /// Its name, never changed: `area.what`.
    pub id: &'static str,
    /// What holds of a wallet that passes.
    pub title: &'static str,
    /// How binding it is.
    pub level: Level,
    /// The paragraph it rests on.
    pub rests_on: &'static str,
    /// The transports it applies to.
    pub applies: Applies,
    /// Checks that must pass before this one says anything.
    pub needs: &'static [&'static str],
    /// What to do about a failure.
    pub advice: &'static str,
    /// Decides from what was seen.
    pub(crate) judge: fn(&Evidence) -> Finding,
}

impl Check {
    /// The part of the id before the first dot.
    pub fn area(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("id", &self.id)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// How binding a check is, in the words of RFC 2119.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// A wallet that fails it does not conform.
    Must,
    /// A wallet that fails it makes life harder for clients.
    Should,
    /// A wallet is free to offer it or not.
    May,
}

impl Level {
    /// `MUST`, `SHOULD` or `MAY`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// How a wallet is reached.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// JSON-RPC over a WebSocket: the synchronous API.
    WebSocket,
    /// JSON-RPC over POST, events over SSE: the asynchronous ("remote") API.
    Http,
}

impl Transport {
    /// `ws` or `http`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "ws",
            Self::Http => "http",
        }
    }
}

/// The transports a check applies to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Applies {
    /// Every transport.
    Both,
    /// HTTP with SSE only.
    Http,
    /// WebSockets only.
    WebSocket,
}

impl Applies {
    /// Whether it applies to this transport.
    pub fn to(self, transport: Transport) -> bool {
        match self {
            Self::Both => true,
            Self::Http => transport == Transport::Http,
            Self::WebSocket => transport == Transport::WebSocket,
        }
    }

    /// `both`, `http` or `ws`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Http => "http",
            Self::WebSocket => "ws",
        }
    }
}

/// What a judge finds.
pub(crate) type Finding = Result<(), Problem>;

/// Why a check did not pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Problem {
    /// The wallet does otherwise.
    Wrong { expected: String, seen: String },
    /// The wallet could not be expected to, this time.
    NotChecked(String),
}

impl Problem {
    pub(crate) fn wrong(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::Wrong {
            expected: expected.into(),
            seen: seen.into(),
        }
    }

    pub(crate) fn not_checked(reason: impl Into<String>) -> Self {
        Self::NotChecked(reason.into())
    }
}

/// Fails with what was expected and what was seen unless it holds.
pub(crate) fn ensure(holds: bool, expected: &str, seen: impl FnOnce() -> String) -> Finding {
    if holds {
        Ok(())
    } else {
        Err(Problem::wrong(expected, seen()))
    }
}

/// Lines of a table of checks: `check!(Must, Both, "id", "title", "paragraph", "advice", needs, judge)`.
macro_rules! check {
    ($level:ident $applies:ident $id:literal, $title:literal, $rests_on:expr, $advice:literal,
     [$($needs:literal),*], $judge:expr) => {
        $crate::check::Check {
            id: $id,
            title: $title,
            level: $crate::check::Level::$level,
            rests_on: $rests_on,
            applies: $crate::check::Applies::$applies,
            needs: &[$($needs),*],
            advice: $advice,
            judge: $judge,
        }
    };
}
pub(crate) use check;
