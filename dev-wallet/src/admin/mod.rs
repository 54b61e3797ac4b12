//! The admin endpoint: everything that [`Control`](crate::Control) does, at run time.

mod act;
mod apart;
mod plan;

use std::sync::atomic::Ordering;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) use self::act::approval;
pub use self::act::{Act, FaultName, Kind, PlaceName, SessionsName};
pub use self::apart::{Ends, HowName};
pub use self::plan::Plan;
pub(crate) use self::plan::When;

use crate::control::Control;
use crate::http::{Asked, Reply};
use crate::state::{DevWalletState, Inner};

/// Answers a request to the admin endpoint.
pub(crate) async fn serve(state: &DevWalletState, asked: Asked) -> Reply {
    if !state.lock().gateway.admin {
        return Reply::text(404, "there is no admin endpoint\n");
    }
    if !asked.line.peer.is_some_and(|it| it.is_loopback())
        || !crate::pages::is_own_host(state, asked.header("host").unwrap_or_default())
    {
        return problem(403, "the admin endpoint is for this computer alone");
    }
    // Pages in a browser have no business here.
    if asked.headers.contains_key(hyper::header::ORIGIN) {
        return problem(403, "the admin endpoint is not for pages");
    }
    asked.line.steering.store(true, Ordering::Relaxed);
    let name = asked.path.trim_start_matches("/admin").trim_matches('/');
    match (&asked.method, name) {
        (&Method::GET, "" | "acts") => Reply::json(200, &acts()),
        (&Method::GET, "state") => Reply::json(200, &state.lock().admin_state()),
        (&Method::GET, "fences") => Reply::json(200, &state.seen_fences().to_json()),
        (&Method::GET, "log") => {
            let since = asked.query("since").and_then(|it| it.parse().ok());
            let happenings = state.lock().journal.since(since.unwrap_or(0));
            let happenings: Value = happenings.iter().map(|it| it.to_json()).collect();
            Reply::json(200, &json!({ "happenings": happenings }))
        }
        (&Method::POST, name) => act(state, name, asked.body.as_deref()).await,
        _ => problem(
            405,
            "GET state, GET log, GET fences, GET acts, or POST the name of an act",
        ),
    }
}

async fn act(state: &DevWalletState, name: &str, body: Option<&[u8]>) -> Reply {
    let body = body.unwrap_or_default();
    let mut fields = if body.iter().all(u8::is_ascii_whitespace) {
        Map::new()
    } else {
        match serde_json::from_slice(body) {
            Ok(fields) => fields,
            Err(why) => return problem(400, &format!("the body is no JSON object: {why}")),
        }
    };
    if !Act::NAMES.contains(&name) {
        let hint = crate::config::suggestion(name, Act::NAMES);
        return problem(404, &format!("there is no act `{name}`{hint}"));
    }
    fields.insert("do".into(), json!(name));
    let act = match Act::deserialize(Value::Object(fields)) {
        Ok(act) => act,
        Err(why) => return problem(400, &format!("{name}: {why}")),
    };
    match Control::new(state.clone()).act(act).await {
        Ok(result) => Reply::json(200, &json!({ "ok": true, "result": result })),
        Err(why) => problem(409, &format!("{name}: {why}")),
    }
}

fn problem(status: u16, what: &str) -> Reply {
    Reply::json(status, &json!({ "ok": false, "error": what }))
}

/// Every act with its fields.
fn acts() -> Value {
    let acts = Act::FIELDS.iter().map(|(name, fields)| {
        let fields: Value = fields.iter().map(|field| field.replace('_', "-")).collect();
        json!({ "act": name, "fields": fields })
    });
    json!({ "acts": acts.collect::<Value>() })
}

impl Inner {
    /// What the wallet looks like from outside: no secrets.
    fn admin_state(&self) -> Value {
        let sessions = self.gateway.sessions.iter().map(|it| {
            json!({
                "id": it.id, "user": it.user, "network": it.network, "origin": it.origin,
            })
        });
        let waiting = self.waiting.iter().map(|it| {
            json!({
                "number": it.pending.id,
                "kind": format!("{:?}", it.pending.kind).to_lowercase(),
                "summary": it.pending.summary,
                "about": it.about,
            })
        });
        let transactions = self.gateway.transactions.iter().map(
            |it| json!({ "id": it.id, "commandId": it.command_id, "status": it.stage.name() }),
        );
        let deviations = self.dialect().deviations();
        json!({
            "profile": self.gateway.profile.name(),
            "deviations": deviations.iter().map(|it| it.name).collect::<Vec<_>>(),
            "requireLogin": self.gateway.require_login,
            "accounts": self.accounts_json(),
            "network": self.network,
            "ledgerUp": self.network_up,
            "idpUp": !self.gateway.idp.down,
            "approval": format!("{:?}", self.approval),
            "openSession": self.not_connected().is_none(),
            "sessions": sessions.collect::<Value>(),
            "waiting": waiting.collect::<Value>(),
            "transactions": transactions.collect::<Value>(),
            "streams": self.gateway.streams.len(),
            "webSockets": self.connections.len(),
            "sockets": self.lines.len(),
            "faults": format!("{:?}", self.faults),
        })
    }
}
