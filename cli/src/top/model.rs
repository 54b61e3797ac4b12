//! What the live view shows: fed with what happens, changed by keys, asked by what draws. It knows
//! no clock and no terminal.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

use moorline::Timestamp;

use super::row::{Facts, Happening, Phase, Rate, Row, RowId, What};

/// How many of the last events are kept.
const RECENT: usize = 100;

/// How much is kept while the view stands still.
const BACKLOG: usize = 10_000;

/// What a source tells.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A session as it is now.
    Session(RowId, Box<Facts>),
    /// Something happened.
    Happened(Happening),
    /// A session is told apart by something else now.
    Renamed { from: RowId, to: RowId },
    /// A session is there no more.
    Gone(RowId),
    /// Which session is active.
    Active(Option<RowId>),
    /// So much happened too fast to be told.
    Missed(u64),
    /// Logins that were under way have all ended.
    LoginsOver,
    /// Only these sessions are there.
    Only(Vec<RowId>),
}

/// In which order sessions stand.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Sort {
    #[default]
    Account,
    Status,
    Expiry,
    Activity,
    Rate,
}

impl Sort {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Status => "status",
            Self::Expiry => "expiry",
            Self::Activity => "activity",
            Self::Rate => "rate",
        }
    }

    pub(super) fn next(self) -> Self {
        match self {
            Self::Account => Self::Status,
            Self::Status => Self::Expiry,
            Self::Expiry => Self::Activity,
            Self::Activity => Self::Rate,
            Self::Rate => Self::Account,
        }
    }
}

/// What keys mean at the moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Mode {
    #[default]
    List,
    /// A filter is being typed.
    Filter,
    /// One session is looked at.
    Details,
    /// Whether to disconnect this session.
    Confirm(RowId),
}

/// The view stands still.
#[derive(Debug)]
struct Paused {
    since: Timestamp,
    backlog: Vec<Input>,
    /// How much more there was.
    lost: u64,
}

/// Everything the live view shows.
#[derive(Debug)]
pub(crate) struct Model {
    /// What is watched.
    pub(crate) title: String,
    /// Whether sessions can be disconnected from here.
    pub(crate) can_act: bool,
    pub(crate) mode: Mode,
    pub(crate) filter: String,
    pub(crate) sort: Sort,
    /// Something to tell the user until the next key.
    pub(crate) notice: Option<String>,
    pub(crate) missed: u64,
    rows: HashMap<RowId, Row>,
    shown: Vec<RowId>,
    outdated: bool,
    /// They stand by rates that were not all zero.
    rated: bool,
    #[cfg(test)]
    pub(super) sorted: usize,
    selected: Option<RowId>,
    cursor: usize,
    offset: usize,
    /// How many rows fit.
    height: usize,
    rate: Rate,
    recent: VecDeque<Happening>,
    paused: Option<Paused>,
}

impl Model {
    pub(crate) fn new(title: impl Into<String>, can_act: bool) -> Self {
        Self {
            title: title.into(),
            can_act,
            mode: Mode::List,
            filter: String::new(),
            sort: Sort::default(),
            notice: None,
            missed: 0,
            rows: HashMap::new(),
            shown: Vec::new(),
            outdated: false,
            rated: false,
            #[cfg(test)]
            sorted: 0,
            selected: None,
            cursor: 0,
            offset: 0,
            height: 0,
            rate: Rate::default(),
            recent: VecDeque::new(),
            paused: None,
        }
    }

    /// Takes in what a source tells.
    pub(crate) fn feed(&mut self, input: Input) {
        if let Some(paused) = &mut self.paused {
            if paused.backlog.len() < BACKLOG {
                paused.backlog.push(input);
            } else {
                paused.lost += 1;
            }
            return;
        }
        // Thousands of sessions are sorted when that can change something, not with every event.
        self.outdated |= match &input {
            Input::Session(id, facts) => self.moves(id, facts),
            Input::Happened(Happening { row: Some(id), .. }) => {
                self.sort == Sort::Activity || !self.rows.contains_key(id)
            }
            Input::Happened(_) | Input::Active(_) | Input::Missed(_) => false,
            Input::Renamed { .. } | Input::Gone(_) | Input::LoginsOver | Input::Only(_) => true,
        };
        match input {
            Input::Session(id, facts) => match self.rows.get_mut(&id) {
                Some(row) => row.update(*facts),
                None => {
                    self.rows.insert(id, Row::new(*facts));
                }
            },
            Input::Happened(happening) => {
                self.rate.count(happening.at);
                if let Some(id) = &happening.row {
                    let row = self.rows.entry(id.clone());
                    let row = row.or_insert_with(|| Row::new(Facts::named(name(id))));
                    row.happened(happening.clone());
                }
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back(happening);
            }
            Input::Renamed { from, to } => {
                if let Some(mut row) = self.rows.remove(&from) {
                    row.rename(name(&to));
                    self.rows.insert(to.clone(), row);
                }
                if self.selected.as_ref() == Some(&from) {
                    self.selected = Some(to);
                }
            }
            Input::Gone(id) => {
                self.rows.remove(&id);
            }
            Input::Active(active) => {
                for (id, row) in &mut self.rows {
                    row.facts.active = active.as_ref() == Some(id);
                }
            }
            Input::Missed(missed) => self.missed += missed,
            Input::LoginsOver => self.rows.retain(|id, row| {
                !matches!(id, RowId::Pending(_)) || row.facts.phase != Phase::Connecting
            }),
            Input::Only(ids) => {
                let ids: std::collections::HashSet<_> = ids.into_iter().collect();
                self.rows.retain(|id, _| ids.contains(id));
            }
        }
    }

    /// Whether a session stands elsewhere with these facts, or is filtered otherwise.
    fn moves(&self, id: &RowId, facts: &Facts) -> bool {
        fn of(facts: &Facts) -> impl PartialEq {
            let names = (&facts.account, &facts.label, &facts.network);
            (facts.phase, &facts.why, names, facts.expires_at)
        }
        let same = |row: &Row| of(&row.facts) == of(facts);
        self.sort == Sort::Activity || !self.rows.get(id).is_some_and(same)
    }

    /// Stands still, or goes on. Returns whether so much happened meanwhile that the source must
    /// tell everything anew.
    pub(crate) fn pause(&mut self, now: Timestamp) -> bool {
        let Some(paused) = self.paused.take() else {
            self.paused = Some(Paused {
                since: now,
                backlog: Vec::new(),
                lost: 0,
            });
            return false;
        };
        for input in paused.backlog {
            self.feed(input);
        }
        self.missed += paused.lost;
        paused.lost > 0
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// The time that is shown: it stands still with the view.
    pub(crate) fn time(&self, now: Timestamp) -> Timestamp {
        self.paused.as_ref().map_or(now, |paused| paused.since)
    }

    /// Brings what is shown up to date: filtered, sorted, the selection where it was.
    pub(crate) fn arrange(&mut self, now: Timestamp) {
        let now = self.time(now);
        // Rates depend on the time, unless there are none.
        let rated = self.sort == Sort::Rate && self.rate.per_second(now) > 0.0;
        if self.outdated || rated || self.rated {
            let wanted = self.filter.to_lowercase();
            let rows = self.rows.iter();
            let mut shown: Vec<_> = rows.filter(|(_, row)| matches(row, &wanted)).collect();
            match self.sort {
                Sort::Account => shown.sort_by_cached_key(|&(id, row)| (row.order(), id)),
                Sort::Status => {
                    shown.sort_by_cached_key(|&(id, row)| (row.facts.phase, row.order(), id));
                }
                Sort::Expiry => shown.sort_by_cached_key(|&(id, row)| {
                    let at = row.facts.expires_at;
                    (at.is_none(), at, row.order(), id)
                }),
                Sort::Activity => shown.sort_by_cached_key(|&(id, row)| {
                    (Reverse(row.facts.last_active), row.order(), id)
                }),
                Sort::Rate => shown.sort_by_cached_key(|&(id, row)| {
                    let tenths = (row.rate.per_second(now) * 10.0) as u64;
                    (Reverse(tenths), row.order(), id)
                }),
            }
            self.shown = shown.into_iter().map(|(id, _)| id.clone()).collect();
            (self.outdated, self.rated) = (false, rated);
            #[cfg(test)]
            {
                self.sorted += 1;
            }
        }
        let selected = self.selected.as_ref();
        if selected.is_some() && self.shown.get(self.cursor) == selected {
            return;
        }
        let place = selected.and_then(|id| self.shown.iter().position(|shown| shown == id));
        self.cursor = place.unwrap_or_else(|| self.cursor.min(self.shown.len().saturating_sub(1)));
        self.selected = self.shown.get(self.cursor).cloned();
        if self.selected.is_none() && self.mode == Mode::Details {
            self.mode = Mode::List;
        }
    }

    /// Moves the selection by so many rows.
    pub(crate) fn select(&mut self, by: isize) {
        let last = self.shown.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
        self.selected = self.shown.get(self.cursor).cloned();
    }

    /// What is shown has to be arranged anew.
    pub(crate) fn rearrange(&mut self) {
        self.outdated = true;
    }

    /// The rows that fit into `height` lines, the selected one among them.
    pub(crate) fn visible(&mut self, height: usize) -> Vec<(&RowId, &Row)> {
        self.height = height;
        let most = self.shown.len().saturating_sub(height);
        let first = (self.cursor + 1).saturating_sub(height);
        self.offset = self.offset.clamp(first, self.cursor.max(first)).min(most);
        self.in_view().collect()
    }

    fn in_view(&self) -> impl Iterator<Item = (&RowId, &Row)> {
        let ids = self.shown.iter().skip(self.offset).take(self.height);
        ids.filter_map(|id| self.rows.get_key_value(id))
    }

    pub(crate) fn selected(&self) -> Option<(&RowId, &Row)> {
        self.rows.get_key_value(self.selected.as_ref()?)
    }

    pub(crate) fn row(&self, id: &RowId) -> Option<&Row> {
        self.rows.get(id)
    }

    /// All rows, whatever is filtered.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&RowId, &Row)> {
        self.rows.iter()
    }

    pub(crate) fn shown(&self) -> usize {
        self.shown.len()
    }

    pub(crate) fn total(&self) -> usize {
        self.rows.len()
    }

    /// How many sessions are in each phase that any is in.
    pub(crate) fn totals(&self) -> Vec<(Phase, usize)> {
        let mut all = Phase::ALL.map(|phase| (phase, 0));
        for row in self.rows.values() {
            for (phase, count) in &mut all {
                *count += usize::from(*phase == row.facts.phase);
            }
        }
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// How many operations are held in all sessions.
    pub(crate) fn queue(&self) -> usize {
        self.rows.values().map(|row| row.facts.queue).sum()
    }

    pub(crate) fn rate(&self, now: Timestamp) -> f64 {
        self.rate.per_second(self.time(now))
    }

    /// The last events, the newest last.
    pub(crate) fn recent(&self) -> impl DoubleEndedIterator<Item = &Happening> {
        self.recent.iter()
    }

    /// Whether a tenth of a second changes what was drawn last.
    pub(crate) fn counts_down(&self, now: Timestamp) -> bool {
        let soon = |row: &Row| row.wait.is_some_and(|wait| wait.is_soon(now));
        !self.is_paused()
            && match self.mode {
                Mode::Details => self.selected().is_some_and(|(_, row)| soon(row)),
                _ => self.in_view().any(|(_, row)| soon(row)),
            }
    }

    #[cfg(test)]
    pub(super) fn waits(&mut self, id: &RowId, wait: super::row::Wait) {
        if let Some(row) = self.rows.get_mut(id) {
            row.wait = Some(wait);
        }
    }

    /// Says something that did not come from a session.
    pub(crate) fn say(&mut self, at: Timestamp, name: &'static str, text: impl Into<String>) {
        self.feed(Input::Happened(Happening {
            at,
            row: None,
            what: What::Text(name, text.into()),
        }));
    }
}

/// What a row is called before more is known of it.
fn name(id: &RowId) -> String {
    match id {
        RowId::Key(key) => key.account.to_string(),
        RowId::Pending(number) => format!("(login {number})"),
        RowId::Record(name) => name.to_string(),
    }
}

fn matches(row: &Row, wanted: &str) -> bool {
    let facts = &row.facts;
    let texts = [
        Some(facts.account.as_str()),
        facts.label.as_deref(),
        facts.network.as_deref(),
        Some(facts.phase.name()),
        Some(facts.why.as_str()),
    ];
    let mut texts = texts.into_iter().flatten();
    wanted.is_empty() || texts.any(|text| text.to_lowercase().contains(wanted))
}
