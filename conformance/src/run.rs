//! From options to a report.

use std::time::Instant;

use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use url::Url;

use crate::check::{Check, Level, Problem, Transport};
use crate::checks::catalogue;
use crate::deviation;
use crate::evidence::Evidence;
use crate::line::http::host_and_port;
use crate::login;
use crate::options::{Credential, Login, Options};
use crate::redaction::Secrets;
use crate::report::{Outcome, Report, Verdict};
use crate::survey::survey;

/// Why a wallet could not be checked at all. Not its fault, or not to be told from that.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The address is none.
    #[error("`{url}` is no address of a wallet: {why}; give one with ws, wss, http or https")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A secret would travel in clear.
    #[error("{0} is neither https nor on this computer: a secret is not sent there in clear")]
    Insecure(String),
    /// Nobody listens there.
    #[error("the wallet at {address} cannot be reached: {why}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system says.
        why: String,
    },
    /// There is no such check.
    #[error("there is no check or area `{0}`; `moorline check --list` shows all")]
    UnknownCheck(String),
    /// The identity provider gives no token.
    #[error("the identity provider {issuer} gives no token: {why}")]
    Login {
        /// Which one.
        issuer: String,
        /// What came back.
        why: String,
    },
    /// TLS cannot be set up on this computer.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// Checks a wallet. Ends its session if there is one.
///
/// Takes at most [`Options::whole`] and a few seconds, and what a person takes.
///
/// # Errors
///
/// [`CheckError`] if there is nothing to check. A wallet that fails is no error: the report says
/// so.
pub async fn check(options: Options) -> Result<Report, CheckError> {
    let begun = Instant::now();
    let url = address(&options.url)?;
    for id in &options.only {
        if !catalogue().any(|it| it.id == id || it.area() == id) {
            return Err(CheckError::UnknownCheck(id.clone()));
        }
    }
    let in_clear = matches!(url.scheme(), "ws" | "http") && !crate::shape::is_loopback(&url);
    if in_clear && !matches!(options.login, Login::None) {
        return Err(CheckError::Insecure(url.authority().to_owned()));
    }
    reach(&url, &options).await?;
    let credential = login::credential(&options, options.timeout).await?;
    let mut secrets = Secrets::default();
    if let Credential::Bearer(secret) | Credential::ApiKey(secret) = &credential {
        secrets.learn(secret.expose_secret());
    }
    if let Some(token) = url.query_pairs().find(|(name, _)| name == "token") {
        secrets.learn(&token.1);
    }
    let evidence = survey(&options, url.clone(), credential, secrets)
        .await
        .map_err(CheckError::Client)?;
    Ok(judge(&options, &url, &evidence, begun))
}

fn address(text: &str) -> Result<Url, CheckError> {
    let wrong = |why: String| CheckError::Address {
        url: text.split(['?', '@']).next().unwrap_or_default().to_owned(),
        why,
    };
    let url = Url::parse(text).map_err(|problem| wrong(problem.to_string()))?;
    if !matches!(url.scheme(), "ws" | "wss" | "http" | "https") {
        return Err(wrong(format!("its scheme is `{}`", url.scheme())));
    }
    if url.host().is_none() {
        return Err(wrong("it has no host".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or password".into()));
    }
    Ok(url)
}

async fn reach(url: &Url, options: &Options) -> Result<(), CheckError> {
    let (host, port) = host_and_port(url);
    let unreachable = |why: String| CheckError::Unreachable {
        address: format!("{host}:{port}"),
        why,
    };
    let connecting = TcpStream::connect((host.as_str(), port));
    match tokio::time::timeout(options.timeout, connecting).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(problem)) => Err(unreachable(problem.to_string())),
        Err(_) => Err(unreachable("no connection in time".into())),
    }
}

/// Decides every check from what was seen.
fn judge(options: &Options, url: &Url, evidence: &Evidence, begun: Instant) -> Report {
    let looks_like = evidence.looks_like();
    let forgiven = options.profile.forgives(looks_like);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for check in catalogue().filter(|it| it.applies.to(evidence.transport)) {
        let verdict = decide(check, evidence, &outcomes, forgiven);
        outcomes.push(Outcome { check, verdict });
    }
    outcomes.retain(|it| {
        options.only.is_empty()
            || options
                .only
                .iter()
                .any(|only| only == it.check.id || only == it.check.area())
    });
    let shown = format!("{}://{}{}", url.scheme(), url.authority(), url.path());
    Report {
        url: shown,
        transport: evidence.transport,
        looks_like,
        forgiven,
        outcomes,
        elapsed: begun.elapsed(),
    }
}

fn decide(
    check: &'static Check,
    evidence: &Evidence,
    before: &[Outcome],
    forgiven: deviation::Generation,
) -> Verdict {
    let lacking = check.needs.iter().find_map(|need| {
        let outcome = before.iter().find(|it| it.check.id == *need)?;
        (!outcome.verdict.holds()).then_some(outcome)
    });
    if let Some(needed) = lacking {
        return without(check, needed);
    }
    match (check.judge)(evidence) {
        Ok(()) => Verdict::Passed,
        Err(Problem::NotChecked(reason)) => Verdict::NotChecked { reason },
        Err(problem) => {
            let named = deviation::name(evidence, check.id, &problem, forgiven);
            let Problem::Wrong { expected, seen } = problem else {
                return Verdict::Passed;
            };
            let known = named.is_some_and(|it| it.known_of.contains(&forgiven));
            Verdict::Failed {
                expected,
                seen: evidence.secrets.excerpt(&seen),
                deviation: named,
                forgiven: known,
            }
        }
    }
}

/// What becomes of a check when one it needs did not pass: a MUST fails with it, unless nobody can
/// be blamed.
fn without(check: &Check, needed: &Outcome) -> Verdict {
    let id = needed.check.id;
    match &needed.verdict {
        Verdict::Failed {
            deviation,
            forgiven,
            ..
        } if check.level == Level::Must => Verdict::Failed {
            expected: check.title.to_owned(),
            seen: format!("cannot be seen, because `{id}` failed"),
            deviation: *deviation,
            forgiven: *forgiven,
        },
        Verdict::NotChecked { reason } => Verdict::NotChecked {
            reason: reason.clone(),
        },
        _ => Verdict::NotChecked {
            reason: format!("`{id}` failed"),
        },
    }
}

/// The transport of an address, if it is one of a wallet.
pub fn transport(url: &str) -> Option<Transport> {
    match address(url).ok()?.scheme() {
        "ws" | "wss" => Some(Transport::WebSocket),
        _ => Some(Transport::Http),
    }
}
