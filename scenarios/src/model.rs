//! A lifecycle as it was loaded from a file.

mod action;
mod check;
mod setup;

use std::path::{Path, PathBuf};

use moorline::Policy;

pub(crate) use self::action::{
    Action, Command, Deed, HookBehaviour, HookDoes, HookName, HookPlan, Restart, StoreCall,
    StoreDeed, Submission, Target, Until, Utterance, WalletDeed,
};
pub(crate) use self::check::{
    CallPattern, Check, EventPattern, Expect, RecordPattern, ResultPattern, SecondPattern, Since,
};
pub(crate) use self::setup::{SessionSetup, WalletSetup};

/// A scripted lifecycle of a session. Made by [`load`](crate::load).
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) covers: Vec<String>,
    pub(crate) seed: u64,
    pub(crate) virtual_only: Option<String>,
    /// Why it cannot be played over HTTP with an event stream.
    pub(crate) not_over_http: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) wallet: WalletSetup,
    pub(crate) session: SessionSetup,
    pub(crate) never: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

impl Scenario {
    /// The file it was loaded from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its short name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is about, in a sentence.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The ids of the hazards and lifecycles it covers.
    pub fn covers(&self) -> &[String] {
        &self.covers
    }

    /// The seed it is played with unless the options say otherwise.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many steps it has.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether it has no step. A scenario that was loaded always has one.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// One step: something happens, something is expected, or both.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Counted from 1.
    pub(crate) number: usize,
    /// Where it begins in the file.
    pub(crate) line: usize,
    /// What the author says about it.
    pub(crate) note: Option<String>,
    pub(crate) action: Option<Action>,
    pub(crate) expect: Vec<Expect>,
}
