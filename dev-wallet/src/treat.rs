//! Requests that are treated apart: held back, failed, answered with something else, or with a
//! closed connection. Over every transport, request by request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::Value;

use crate::account::DevAccount;
use crate::approval::{Approval, Prompt};
use crate::control::Control;
use crate::error::{StartError, plain};
use crate::log::Log;
use crate::session::Session;
use crate::state::{DevWalletState, Inner};

/// How a request is treated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum How {
    /// It waits until it is released, and is executed then.
    Hold,
    /// It is executed, and its answer waits until it is released.
    HoldAnswer,
    /// It is not executed, and answered with an error.
    Fail {
        /// The code.
        code: i32,
        /// The message.
        message: String,
        /// Details, such as `{"retryAfterMs": 500}`.
        data: Option<Value>,
    },
    /// It is not executed, and answered with this.
    Value(Value),
    /// It is not executed, and its connection closed.
    Close,
}

impl How {
    /// What is noted of it: not what it is to say, which may hold anything.
    fn name(&self) -> String {
        let whole = format!("{self:?}");
        let name = whole.split([' ', '(', '{']).next().unwrap_or_default();
        name.to_owned()
    }
}

/// A treatment that waits for its requests.
#[derive(Clone, Debug)]
pub(crate) struct Arranged {
    methods: Vec<String>,
    key: Option<String>,
    how: How,
    times: u32,
}

/// A request that is being held.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    number: u64,
    method: String,
    key: Option<String>,
    released: Option<Option<(i32, String)>>,
}

/// Everything that is arranged.
#[derive(Debug, Default)]
pub(crate) struct Treatments {
    arranged: Vec<Arranged>,
    held: Vec<Held>,
    last: u64,
    /// When sessions end that are begun from now on, if that was said: `None` in it for never.
    pub(crate) session_ends: Option<Option<SystemTime>>,
    /// Accounts that the wallet had, for who asks who signed something.
    former: Vec<DevAccount>,
}

/// What becomes of a request.
pub(crate) enum Fate {
    /// It is executed and answered.
    Executed,
    /// It is executed, and its answer waits.
    AnswerHeld(u64),
    /// It is answered with this instead.
    Answered(Result<Value, ErrorObjectOwned>),
    /// Its connection is closed.
    Closed,
}

impl Treatments {
    fn take(&mut self, method: &str, key: Option<&str>) -> Option<How> {
        let position = self.arranged.iter().position(|it| {
            it.methods.iter().any(|name| name == method)
                && (it.key.is_none() || it.key.as_deref() == key)
        })?;
        let arranged = self.arranged.get_mut(position)?;
        let how = arranged.how.clone();
        arranged.times = arranged.times.saturating_sub(1);
        if arranged.times == 0 {
            self.arranged.remove(position);
        }
        Some(how)
    }

    fn hold(&mut self, method: &str, key: Option<&str>) -> u64 {
        self.last += 1;
        self.held.push(Held {
            number: self.last,
            method: method.to_owned(),
            key: key.map(str::to_owned),
            released: None,
        });
        self.last
    }

    fn is_released(&self, number: u64) -> bool {
        let held = self.held.iter().find(|it| it.number == number);
        held.is_none_or(|it| it.released.is_some())
    }

    fn forget(&mut self, number: u64) -> Result<(), ErrorObjectOwned> {
        let position = self.held.iter().position(|it| it.number == number);
        let held = position.map(|position| self.held.swap_remove(position));
        match held.and_then(|it| it.released).flatten() {
            Some((code, message)) => Err(plain(code, &message)),
            None => Ok(()),
        }
    }
}

impl DevWalletState {
    /// What becomes of a request, decided before it is executed.
    pub(crate) async fn fate(&self, method: &str, key: Option<&str>) -> Fate {
        let taken = self.change(|inner| {
            let how = inner.faults.treatments.take(method, key)?;
            inner.record("fault", method, how.name());
            let held = matches!(how, How::Hold | How::HoldAnswer)
                .then(|| inner.faults.treatments.hold(method, key));
            Some((how, held.unwrap_or_default()))
        });
        match taken {
            None => Fate::Executed,
            Some((How::HoldAnswer, number)) => Fate::AnswerHeld(number),
            Some((How::Hold, number)) => match self.released(number).await {
                Ok(()) => Fate::Executed,
                Err(error) => Fate::Answered(Err(error)),
            },
            Some((
                How::Fail {
                    code,
                    message,
                    data,
                },
                _,
            )) => Fate::Answered(Err(ErrorObjectOwned::owned(code, message, data))),
            Some((How::Value(value), _)) => Fate::Answered(Ok(value)),
            Some((How::Close, _)) => Fate::Closed,
        }
    }

    /// Waits until a request that is held is released. Cancel safe.
    pub(crate) async fn released(&self, number: u64) -> Result<(), ErrorObjectOwned> {
        self.until(|inner| inner.faults.treatments.is_released(number))
            .await;
        self.lock().faults.treatments.forget(number)
    }
}

/// Requests that are treated apart.
impl Control {
    /// Treats the next `times` requests of these methods so. `key` restricts it to requests for one
    /// thing: the id of a command, else a message to sign, else a resource of the ledger.
    pub fn treat(&self, methods: &[&str], key: Option<&str>, how: How, times: u32) {
        let arranged = Arranged {
            methods: methods.iter().map(|it| (*it).to_owned()).collect(),
            key: key.map(str::to_owned),
            how,
            times: times.max(1),
        };
        self.state()
            .change(|inner| inner.faults.treatments.arranged.push(arranged));
    }

    /// Forgets how the next requests of these methods were to be treated; those that are held stay
    /// held.
    pub fn untreat(&self, methods: &[&str]) {
        self.state().change(|inner| {
            let arranged = &mut inner.faults.treatments.arranged;
            arranged.retain(|it| {
                !it.methods
                    .iter()
                    .any(|name| methods.contains(&name.as_str()))
            });
        });
    }

    /// Releases every request of these methods that is held, with an error instead of an answer if
    /// one is given. Returns how many there were.
    pub fn release(
        &self,
        methods: &[&str],
        key: Option<&str>,
        error: Option<(i32, String)>,
    ) -> usize {
        self.state().change(|inner| {
            let held = inner.faults.treatments.held.iter_mut().filter(|it| {
                it.released.is_none()
                    && methods.contains(&it.method.as_str())
                    && (key.is_none() || it.key.as_deref() == key)
            });
            held.map(|it| it.released = Some(error.clone())).count()
        })
    }
}

/// What a wallet becomes, all at once.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Becoming {
    /// Its accounts, by name; none at all is allowed here.
    pub accounts: Option<Vec<String>>,
    /// The name of the primary account. Default: the first one.
    pub primary: Option<String>,
    /// Its network.
    pub network: Option<String>,
    /// Whether it reaches its ledger.
    pub ledger_up: Option<bool>,
    /// When the session that is open ends, and those that are opened later: `None` in it for never.
    pub session_ends: Option<Option<SystemTime>>,
    /// Opens a session, or ends the one there is.
    pub session: Option<bool>,
    /// Whether a person must log in on the wallet's page, and is waited for.
    pub login: Option<bool>,
    /// Says nothing about it.
    pub silently: bool,
}

impl Becoming {
    /// Nothing changes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Control {
    /// Changes all of this at once, and says so in as few events as there are for it.
    ///
    /// # Errors
    ///
    /// [`StartError`] if there cannot be such accounts; nothing changes then.
    pub fn become_so(&self, new: Becoming) -> Result<(), StartError> {
        let accounts = match &new.accounts {
            Some(names) if names.is_empty() => Some(Vec::new()),
            Some(names) => Some(crate::builder::derive_all(names)?),
            None => None,
        };
        let (party, status) = self.state().change(|inner| {
            let party = accounts.is_some();
            if let Some(accounts) = accounts {
                let primary = accounts
                    .iter()
                    .position(|it| Some(it.hint()) == new.primary.as_deref());
                let former = std::mem::replace(&mut inner.accounts, accounts);
                inner.faults.treatments.former.extend(former);
                inner.primary = primary.unwrap_or(0);
            }
            if let Some(network) = &new.network {
                inner.move_to(network);
            }
            if let Some(up) = new.ledger_up {
                inner.network_up = up;
            }
            if let Some(login) = new.login {
                (inner.approval, inner.prompt) = match login {
                    true => (Approval::Manual, Prompt::UserUrl),
                    false => (Approval::Auto, Prompt::default()),
                };
            }
            if let Some(ends) = new.session_ends {
                inner.faults.treatments.session_ends = Some(ends);
                inner.renew_session();
            }
            let status =
                new.network.is_some() || new.ledger_up.is_some() || new.session_ends.is_some();
            (party, status)
        });
        match new.session {
            Some(true) => self.state().start_session(),
            Some(false) if new.silently => {
                self.revoke_sessions();
            }
            Some(false) => self.end_session(),
            None => {}
        }
        if party && !new.silently {
            let list = self.state().lock().accounts_json();
            self.state().notify("accountsChanged", list);
            self.state().tell_sessions_of_accounts();
        }
        if status && !new.silently {
            self.state().announce_status("statusChanged");
            self.state().tell_sessions_of_status();
        }
        Ok(())
    }

    /// Begins anew: connections, sessions, faults, what waits and what was counted are forgotten,
    /// and the wallet becomes so, without a word.
    ///
    /// # Errors
    ///
    /// As [`become_so`](Self::become_so).
    pub async fn begin_anew(&self, new: Becoming) -> Result<(), StartError> {
        self.refuse(false).await;
        self.state().change(|inner| {
            inner.faults = crate::faults::Faults::default();
            inner.waiting.clear();
            inner.logging_in = false;
            inner.session = None;
            inner.approval = Approval::Auto;
            inner.prompt = Prompt::default();
            inner.network_up = true;
            inner.gateway.sessions.clear();
            inner.gateway.transactions.clear();
            inner.gateway.messages.clear();
            inner.log = Log::default();
            inner.fences.forget();
        });
        self.cut_all().await;
        self.become_so(Becoming {
            silently: true,
            session: None,
            ..new
        })
    }

    /// The account (by name) that signed a message: the Ed25519 signature in base64 is checked.
    pub fn signer(&self, message: &str, signature: &str) -> Option<String> {
        let inner = self.state().lock();
        let mut accounts = inner.accounts.iter().chain(&inner.faults.treatments.former);
        let signer = accounts.find(|it| it.sign_base64(message.as_bytes()) == signature);
        signer.map(|it| it.hint().to_owned())
    }
}

impl Inner {
    /// The session there is gets a new token, with the end that was said.
    fn renew_session(&mut self) {
        if self.session.is_some() {
            self.begin_session();
        }
    }

    /// Begins a session.
    pub(crate) fn begin_session(&mut self) {
        self.sessions_started += 1;
        let ttl = self.session_ttl.map(|ttl| self.gateway.clock.real(ttl));
        let ends = match self.faults.treatments.session_ends {
            Some(ends) => ends,
            None => ttl.and_then(|ttl| SystemTime::now().checked_add(ttl)),
        };
        if let Some(account) = self.accounts.get(self.primary) {
            self.session = Some(Session::start(self.sessions_started, ends, account));
        }
    }
}

/// A time on the wire: milliseconds since 1970.
pub(crate) fn moment(millis: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}
