//! Acts on single requests, and on all of a wallet at once.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Act;
use crate::control::Control;
use crate::error::ControlError;
use crate::treat::{Becoming, How};

/// A [`How`] by its name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum HowName {
    Hold,
    HoldAnswer,
    Fail,
    Value,
    Close,
}

/// When a session ends: milliseconds since 1970, or `"never"`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Ends {
    At(u64),
    Word(String),
}

impl Ends {
    fn read(self) -> Result<Option<std::time::SystemTime>, ControlError> {
        match self {
            Self::At(millis) => Ok(crate::treat::moment(millis)),
            Self::Word(word) if word == "never" => Ok(None),
            Self::Word(word) => Err(ControlError(format!(
                "`{word}` is neither `never` nor milliseconds since 1970"
            ))),
        }
    }
}

impl Control {
    /// Requests that are treated apart, and a wallet that changes at once.
    pub(super) fn act_apart(&self, act: Act) -> Result<Value, ControlError> {
        match act {
            Act::Treat {
                methods,
                how,
                key,
                times,
                code,
                message,
                value,
            } => {
                let how = match how {
                    HowName::Hold => How::Hold,
                    HowName::HoldAnswer => How::HoldAnswer,
                    HowName::Close => How::Close,
                    HowName::Value => How::Value(value.unwrap_or_default()),
                    HowName::Fail => How::Fail {
                        code: code.unwrap_or(-32603),
                        message: message.unwrap_or_else(|| "it fails on purpose".to_owned()),
                        data: value,
                    },
                };
                let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
                self.treat(&methods, key.as_deref(), how, times.unwrap_or(1));
                Ok(json!({}))
            }
            Act::Untreat { methods } => {
                let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
                self.untreat(&methods);
                Ok(json!({}))
            }
            Act::Release {
                methods,
                key,
                code,
                message,
            } => {
                let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
                let error = code.map(|code| (code, message.unwrap_or_default()));
                Ok(json!({ "released": self.release(&methods, key.as_deref(), error) }))
            }
            Act::Become {
                accounts,
                primary,
                network,
                ledger_up,
                session_ends,
                session,
                login,
                silently,
            } => {
                let became = self.become_so(Becoming {
                    accounts,
                    primary,
                    network,
                    ledger_up,
                    session_ends: session_ends.map(Ends::read).transpose()?,
                    session,
                    login,
                    silently,
                });
                became.map_err(|problem| ControlError(problem.to_string()))?;
                Ok(json!({}))
            }
            _ => Ok(json!({})),
        }
    }

    /// A wallet that begins anew.
    pub(super) async fn act_begin(&self, act: Act) -> Result<Value, ControlError> {
        let Act::BeginAnew {
            accounts,
            primary,
            network,
            ledger_up,
            session_ends,
        } = act
        else {
            return Ok(json!({}));
        };
        let becoming = Becoming {
            accounts: Some(accounts),
            primary,
            network,
            ledger_up,
            session_ends: session_ends.map(Ends::read).transpose()?,
            ..Becoming::default()
        };
        let begun = self.begin_anew(becoming).await;
        begun.map_err(|problem| ControlError(problem.to_string()))?;
        Ok(json!({}))
    }
}
