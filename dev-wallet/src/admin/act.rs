//! Everything that can be done to a wallet at run time, as data: what the admin endpoint takes and
//! what a file of faults holds.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::apart::{Ends, HowName};
use crate::approval::{Approval, PendingKind};
use crate::control::{Control, Sessions};
use crate::error::ControlError;
use crate::http::{HttpFault, Place};

macro_rules! acts {
    ($($(#[$attribute:meta])* $name:literal $act:ident { $($(#[$on:meta])* $field:ident: $kind:ty,)* })*) => {
        /// Something that a person does, or that goes wrong.
        #[derive(Clone, Debug, Deserialize, PartialEq)]
        #[serde(tag = "do", rename_all_fields = "kebab-case", deny_unknown_fields)]
        #[allow(missing_docs)]
        #[non_exhaustive]
        pub enum Act {
            $($(#[$attribute])* #[serde(rename = $name)] $act { $($(#[$on])* $field: $kind,)* },)*
        }

        impl Act {
            /// What every act is called.
            pub const NAMES: &[&str] = &[$($name,)*];
            /// The fields that acts have, by act.
            pub(crate) const FIELDS: &[(&str, &[&str])] =
                &[$(($name, &[$(stringify!($field),)*]),)*];

            /// What it is called.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$act { .. } => $name,)*
                }
            }
        }
    };
}

acts! {
    /// Approves what waits: everything, or one thing by its number.
    "approve" Approve { #[serde(default)] number: Option<u64>, #[serde(default)] kind: Option<Kind>, }
    /// Rejects what waits: everything, or one thing by its number.
    "reject" Reject { #[serde(default)] number: Option<u64>, #[serde(default)] kind: Option<Kind>, }
    /// What happens to whatever needs consent from now on.
    "set-approval" SetApproval { approval: String, }
    /// Makes another account primary.
    "switch-party" SwitchParty { account: String, }
    /// Replaces the accounts.
    "set-accounts" SetAccounts { names: Vec<String>, }
    /// Moves to another network.
    "switch-network" SwitchNetwork { network: String, }
    /// Loses the ledger, or finds it.
    "set-ledger" SetLedger { up: bool, }
    /// Loses the identity provider, or finds it.
    "set-idp" SetIdp { up: bool, }
    /// The identity provider changes its key.
    "change-idp-key" ChangeIdpKey {}
    /// Refresh tokens are good no more.
    "forget-refresh-tokens" ForgetRefreshTokens {}
    /// Logs a user in; answers the token.
    "log-in" LogIn { user: String, network: String, }
    /// Answers a token for a user, without a session.
    "issue-token" IssueToken { user: String, }
    /// Everybody logs in once more, elsewhere.
    "log-in-elsewhere" LogInElsewhere {}
    /// Logs everybody out.
    "end-session" EndSession {}
    /// Every token expires.
    "expire-session" ExpireSession {}
    /// Sessions are forgotten.
    "revoke-sessions" RevokeSessions {}
    /// Answers requests wrongly.
    "misbehave" Misbehave {
        fault: FaultName,
        #[serde(default)] place: PlaceName,
        #[serde(default)] method: Option<String>,
        #[serde(default)] times: Option<u32>,
        #[serde(default)] status: Option<u16>,
        #[serde(default)] code: Option<i32>,
        #[serde(default)] message: Option<String>,
        #[serde(default)] to: Option<String>,
        #[serde(default)] bytes: Option<usize>,
        #[serde(default)] content_type: Option<String>,
        #[serde(default, deserialize_with = "time")] retry_after: Option<Duration>,
    }
    /// Answers requests as it should again.
    "behave" Behave {}
    /// Answers methods with an error.
    "reply-errors" ReplyErrors { code: i32, message: String, #[serde(default)] method: Option<String>, }
    /// Falls silent.
    "hang" Hang { on: bool, }
    /// Freezes.
    "freeze" Freeze { on: bool, }
    /// Takes its time.
    "slow" Slow { #[serde(deserialize_with = "time")] delay: Option<Duration>, }
    /// The ledger rejects what is signed.
    "fail-transactions" FailTransactions { on: bool, }
    /// The ledger prepares nothing.
    "fail-prepare" FailPrepare { on: bool, }
    /// Breaks every stream.
    "drop-streams" DropStreams {}
    /// Ends every stream.
    "end-streams" EndStreams {}
    /// Leaves every stream half-open.
    "half-open-streams" HalfOpenStreams {}
    /// Every event of a stream takes its time.
    "slow-events" SlowEvents { #[serde(deserialize_with = "time")] delay: Option<Duration>, }
    /// Loses events.
    "lose-events" LoseEvents { count: u32, }
    /// Sends events twice.
    "duplicate-events" DuplicateEvents { count: u32, }
    /// Lets events overtake each other.
    "reorder-events" ReorderEvents { count: u32, }
    /// Sends events in pieces.
    "split-events" SplitEvents { bytes: usize, }
    /// Writes in pieces.
    "split-writes" SplitWrites { bytes: usize, }
    /// Sends any bytes into every stream.
    "stream-raw" StreamRaw { text: String, }
    /// Sends any text frame to every WebSocket.
    "send-raw" SendRaw { text: String, }
    /// Sends any event.
    "notify" Notify { event: String, payload: Value, }
    /// Sends many events.
    "event-storm" EventStorm { count: usize, }
    /// Closes idle connections.
    "close-idle" CloseIdle {}
    /// Breaks idle connections at their next request.
    "close-at-next-request" CloseAtNextRequest {}
    /// Drops every connection.
    "cut-all" CutAll {}
    /// Stops or begins taking in connections.
    "refuse" Refuse { on: bool, }
    /// Treats the next requests of some methods apart.
    "treat" Treat {
        methods: Vec<String>,
        how: HowName,
        #[serde(default)] key: Option<String>,
        #[serde(default)] times: Option<u32>,
        #[serde(default)] code: Option<i32>,
        #[serde(default)] message: Option<String>,
        #[serde(default)] value: Option<Value>,
    }
    /// Forgets how requests of some methods were to be treated.
    "untreat" Untreat { methods: Vec<String>, }
    /// Releases requests that are held, with an error if there is a code.
    "release" Release {
        methods: Vec<String>,
        #[serde(default)] key: Option<String>,
        #[serde(default)] code: Option<i32>,
        #[serde(default)] message: Option<String>,
    }
    /// Refuses calls of programs that no longer hold their session, or lets them through.
    "refuse-late-acts" RefuseLateActs { on: bool, }
    /// Changes accounts, network, ledger and session at once.
    "become" Become {
        #[serde(default)] accounts: Option<Vec<String>>,
        #[serde(default)] primary: Option<String>,
        #[serde(default)] network: Option<String>,
        #[serde(default)] ledger_up: Option<bool>,
        #[serde(default)] session_ends: Option<Ends>,
        #[serde(default)] session: Option<bool>,
        #[serde(default)] login: Option<bool>,
        #[serde(default)] silently: bool,
    }
    /// Forgets connections, sessions, faults and counts, and begins with these.
    "begin-anew" BeginAnew {
        accounts: Vec<String>,
        #[serde(default)] primary: Option<String>,
        #[serde(default)] network: Option<String>,
        #[serde(default)] ledger_up: Option<bool>,
        #[serde(default)] session_ends: Option<Ends>,
    }
    /// Answers how often requests for one thing were seen and executed.
    "count" Count { key: String, }
    /// Answers which account signed a message.
    "who-signed" WhoSigned { message: String, signature: String, }
    /// Restarts.
    "restart" Restart {
        #[serde(default)] sessions: SessionsName,
        #[serde(default, deserialize_with = "time")] downtime: Option<Duration>,
    }
}

/// A [`HttpFault`] by its name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum FaultName {
    RateLimit,
    Html,
    BareError,
    StringError,
    Redirect,
    Oversized,
    ContentType,
    Empty,
    Garbage,
    Truncated,
    CloseUnanswered,
    CloseExecuted,
}

/// A [`Place`] by its name.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum PlaceName {
    #[default]
    Dapp,
    Events,
    User,
    Idp,
}

/// [`Sessions`] by name.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum SessionsName {
    #[default]
    Kept,
    Lost,
}

/// A [`PendingKind`] by its name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Kind {
    Connect,
    Sign,
    Submit,
}

impl From<Kind> for PendingKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Connect => Self::Connect,
            Kind::Sign => Self::Sign,
            Kind::Submit => Self::Submit,
        }
    }
}

/// A time, in words (`5s`) or in seconds.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(f64),
        Words(String),
    }

    let wrong = |why: String| serde::de::Error::custom(why);
    Ok(match Option::<Written>::deserialize(deserializer)? {
        None => None,
        Some(Written::Seconds(seconds)) => {
            let time = Duration::try_from_secs_f64(seconds);
            Some(time.map_err(|problem| wrong(problem.to_string()))?)
        }
        Some(Written::Words(words)) => Some(
            humantime::parse_duration(&words)
                .map_err(|problem| wrong(format!("{problem}; write a time as 500ms, 5s or 1h")))?,
        ),
    })
}

/// How consent is given, in words: `auto`, `manual`, `reject`, or a time.
pub(crate) fn approval(words: &str) -> Result<Approval, String> {
    Ok(match words {
        "auto" => Approval::Auto,
        "manual" => Approval::Manual,
        "reject" => Approval::Reject,
        time => Approval::After(humantime::parse_duration(time).map_err(|_| {
            format!("`{time}` is neither `auto`, `manual`, `reject` nor a time such as 5s")
        })?),
    })
}

impl Control {
    /// Does something that can be described as data. Answers what came of it.
    ///
    /// # Errors
    ///
    /// [`ControlError`] says why it cannot be done.
    pub async fn act(&self, act: Act) -> Result<Value, ControlError> {
        match act {
            Act::CutAll {} => Ok(json!({ "cut": self.cut_all().await })),
            Act::Refuse { on } => {
                self.refuse(on).await;
                Ok(json!({}))
            }
            Act::Restart { sessions, downtime } => {
                let sessions = match sessions {
                    SessionsName::Kept => Sessions::Kept,
                    SessionsName::Lost => Sessions::Lost,
                };
                self.restart(sessions, downtime.unwrap_or_default()).await;
                Ok(json!({}))
            }
            Act::BeginAnew { .. } => self.act_begin(act).await,
            other => self.act_now(other),
        }
    }

    /// Does something from within: what takes time goes on by itself.
    pub(crate) fn act_within(&self, act: Act) {
        if matches!(
            act,
            Act::CutAll {} | Act::Refuse { .. } | Act::Restart { .. } | Act::BeginAnew { .. }
        ) {
            let control = self.clone();
            tokio::spawn(async move { control.act(act).await.ok() });
            return;
        }
        if let Err(problem) = self.act_now(act) {
            tracing::warn!(%problem, "an act of the scenario failed");
        }
    }

    #[allow(clippy::too_many_lines)]
    fn act_now(&self, act: Act) -> Result<Value, ControlError> {
        let done = json!({});
        let count = |name: &str, count: usize| json!({ name: count });
        let failed = |problem: String| ControlError(problem);
        Ok(match act {
            Act::Approve { number, kind } => match (number, kind) {
                (Some(number), _) => json!({ "decided": u8::from(self.approve_one(number)) }),
                (None, Some(kind)) => count("decided", self.approve_kind(kind.into())),
                (None, None) => count("decided", self.approve()),
            },
            Act::Reject { number, kind } => match (number, kind) {
                (Some(number), _) => json!({ "decided": u8::from(self.reject_one(number)) }),
                (None, Some(kind)) => count("decided", self.reject_kind(kind.into())),
                (None, None) => count("decided", self.reject()),
            },
            Act::SetApproval { approval: words } => {
                self.set_approval(approval(&words).map_err(failed)?);
                done
            }
            Act::RefuseLateActs { on } => {
                self.refuse_late_acts(on);
                done
            }
            Act::SwitchParty { account } => {
                let switched = self.switch_party(&account);
                switched.map_err(|problem| failed(problem.to_string()))?;
                done
            }
            Act::SetAccounts { names } => {
                let set = self.set_accounts(names);
                set.map_err(|problem| failed(problem.to_string()))?;
                done
            }
            Act::SwitchNetwork { network } => {
                self.switch_network(&network);
                done
            }
            Act::SetLedger { up } => {
                self.set_network_link(up);
                done
            }
            Act::SetIdp { up } => {
                self.idp_down(!up);
                done
            }
            Act::ChangeIdpKey {} => {
                self.change_idp_key();
                done
            }
            Act::ForgetRefreshTokens {} => {
                self.forget_refresh_tokens();
                done
            }
            Act::LogIn { user, network } => {
                let token = self.log_in(&user, &network)?;
                json!({ "token": secrecy::ExposeSecret::expose_secret(&token) })
            }
            Act::IssueToken { user } => {
                let token = self.issue_token(&user)?;
                json!({ "token": secrecy::ExposeSecret::expose_secret(&token) })
            }
            Act::LogInElsewhere {} => count("sessions", self.log_in_elsewhere()),
            Act::EndSession {} => {
                self.end_session();
                done
            }
            Act::ExpireSession {} => {
                self.expire_session();
                done
            }
            Act::RevokeSessions {} => count("sessions", self.revoke_sessions()),
            Act::Misbehave { .. } => {
                self.act_misbehave(act)?;
                done
            }
            Act::Behave {} => {
                self.behave();
                self.reply_normally();
                done
            }
            Act::ReplyErrors {
                code,
                message,
                method,
            } => {
                match method {
                    Some(method) => self.reply_errors_to(&method, code, &message),
                    None => self.reply_errors(code, &message),
                }
                done
            }
            Act::Hang { on } => {
                self.hang(on);
                done
            }
            Act::Freeze { on } => {
                self.freeze(on);
                done
            }
            Act::Slow { delay } => {
                self.slow(delay.unwrap_or_default());
                done
            }
            Act::FailTransactions { on } => {
                self.fail_transactions(on);
                done
            }
            Act::FailPrepare { on } => {
                self.fail_prepare(on);
                done
            }
            Act::DropStreams {} => count("streams", self.drop_streams()),
            Act::EndStreams {} => count("streams", self.end_streams()),
            Act::HalfOpenStreams {} => count("streams", self.half_open_streams()),
            Act::SlowEvents { delay } => {
                self.slow_events(delay.unwrap_or_default());
                done
            }
            Act::LoseEvents { count } => {
                self.lose_events(count);
                done
            }
            Act::DuplicateEvents { count } => {
                self.duplicate_events(count);
                done
            }
            Act::ReorderEvents { count } => {
                self.reorder_events(count);
                done
            }
            Act::SplitEvents { bytes } => {
                self.split_events(bytes);
                done
            }
            Act::SplitWrites { bytes } => {
                self.split_writes(bytes);
                done
            }
            Act::StreamRaw { text } => count("streams", self.stream_raw(&text)),
            Act::SendRaw { text } => {
                self.send_raw(&text);
                done
            }
            Act::Notify { event, payload } => {
                self.notify(&event, payload);
                done
            }
            Act::EventStorm { count } => {
                self.event_storm(count);
                done
            }
            Act::CloseIdle {} => count("connections", self.close_idle()),
            Act::CloseAtNextRequest {} => count("connections", self.close_at_next_request()),
            Act::Treat { .. } | Act::Untreat { .. } | Act::Release { .. } | Act::Become { .. } => {
                self.act_apart(act)?
            }
            Act::Count { key } => {
                json!({ "seen": self.seen_of(&key), "executed": self.executions_of(&key) })
            }
            Act::WhoSigned { message, signature } => {
                json!({ "account": self.signer(&message, &signature) })
            }
            Act::CutAll {} | Act::Refuse { .. } | Act::Restart { .. } | Act::BeginAnew { .. } => {
                done
            }
        })
    }

    fn act_misbehave(&self, act: Act) -> Result<(), ControlError> {
        let Act::Misbehave {
            fault,
            place,
            method,
            times,
            status,
            code,
            message,
            to,
            bytes,
            content_type,
            retry_after,
        } = act
        else {
            return Ok(());
        };
        let missing = |what: &str| ControlError(format!("this fault needs `{what}`"));
        let fault = match fault {
            FaultName::RateLimit => HttpFault::RateLimit { retry_after },
            FaultName::Html => HttpFault::Html {
                status: status.unwrap_or(500),
            },
            FaultName::BareError => HttpFault::BareError {
                code: code.unwrap_or(4100),
            },
            FaultName::StringError => HttpFault::StringError {
                message: message.unwrap_or_else(|| "No active session found".to_owned()),
            },
            FaultName::Redirect => HttpFault::Redirect {
                to: to.ok_or_else(|| missing("to"))?,
            },
            FaultName::Oversized => HttpFault::Oversized {
                bytes: bytes.unwrap_or(32 * 1024 * 1024),
            },
            FaultName::ContentType => HttpFault::ContentType {
                value: content_type.unwrap_or_else(|| "text/plain".to_owned()),
            },
            FaultName::Empty => HttpFault::Empty {
                status: status.unwrap_or(200),
            },
            FaultName::Garbage => HttpFault::Garbage,
            FaultName::Truncated => HttpFault::Truncated {
                bytes: bytes.unwrap_or(100),
            },
            FaultName::CloseUnanswered => HttpFault::CloseUnanswered,
            FaultName::CloseExecuted => HttpFault::CloseExecuted,
        };
        let place = match place {
            PlaceName::Dapp => Place::Dapp,
            PlaceName::Events => Place::Events,
            PlaceName::User => Place::User,
            PlaceName::Idp => Place::Idp,
        };
        self.misbehave_at(place, method.as_deref(), fault, times);
        Ok(())
    }
}
