//! Where a person logs in, or lets a program in.

use std::fmt::Write as _;

use secrecy::ExposeSecret;

use super::html::{escape, page as frame, script_string};
use crate::approval::PendingKind;
use crate::gateway::{Known, Login};
use crate::http::{Asked, Reply};
use crate::state::{DevWalletState, Inner};

/// The page a `userUrl` leads to.
pub(super) fn page(state: &DevWalletState, asked: &Asked, problem: Option<&str>) -> Reply {
    let mut body = String::new();
    if let Some(problem) = problem {
        let problem = escape(problem);
        write!(body, "<p class=\"error\" role=\"alert\">{problem}</p>").ok();
    }
    let asked_for = waiting(state, &mut body);
    {
        let inner = state.lock();
        // Somebody who came to decide need not log in.
        let folded = asked_for && !inner.gateway.require_login;
        if folded {
            body.push_str("<details><summary>Log in with your name</summary>\n");
        }
        form(&inner, asked, &mut body);
        if folded {
            body.push_str("</details>\n");
        }
    }
    let title = if asked_for {
        "Waiting for you"
    } else {
        "Log in"
    };
    let nonce = crate::random::secret();
    body.push_str(&ask_origin(&nonce));
    let status = if problem.is_some() { 403 } else { 200 };
    Reply::page_with_script(status, frame(title, &body), &nonce)
}

/// What waits for a decision. Answers whether anything does.
fn waiting(state: &DevWalletState, body: &mut String) -> bool {
    let pending = state.pending();
    if pending.is_empty() {
        return false;
    }
    body.push_str("<ul>");
    for pending in &pending {
        let what = match pending.kind {
            PendingKind::Connect => "Connect",
            PendingKind::Sign => "Sign a message",
            PendingKind::Submit => "Submit a transaction",
        };
        let summary = escape(&pending.summary);
        write!(body, "<li>{what}: {summary}</li>").ok();
    }
    body.push_str(
        "</ul>\n<div class=\"actions\">\
         <form class=\"inline\" method=\"post\" action=\"/login/approve\">\
         <button class=\"main\" id=\"approve-all\">Approve all</button></form>\
         <form class=\"inline\" method=\"post\" action=\"/login/reject\">\
         <button id=\"reject-all\">Reject all</button></form></div>\n",
    );
    true
}

fn form(inner: &Inner, asked: &Asked, body: &mut String) {
    let fields = asked.form();
    let field = |name: &str| {
        let mut fields = fields.iter();
        fields.find(|(it, _)| it == name).map(|(_, it)| it.as_str())
    };
    let first = inner.gateway.users.first().map(|it| it.name.as_str());
    let user = escape(field("user").or(first).unwrap_or_default());
    let origin = field("origin").or_else(|| asked.query("origin"));
    let origin = escape(origin.unwrap_or_default());
    let options: String = inner
        .gateway
        .networks
        .iter()
        .map(|network| {
            let (id, name) = (escape(&network.id), escape(&network.name));
            let chosen = field("network") == Some(network.id.as_str());
            let selected = if chosen { " selected" } else { "" };
            format!("<option value=\"{id}\"{selected}>{name}</option>")
        })
        .collect();
    write!(
        body,
        "<form method=\"post\" action=\"/login/\">\n\
         <label for=\"user\">User</label>\
         <input id=\"user\" name=\"user\" value=\"{user}\" autocomplete=\"username\" required>\n\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" \
         autocomplete=\"current-password\" aria-describedby=\"password-hint\">\n\
         <p class=\"hint\" id=\"password-hint\">Users without a password may leave it empty.</p>\n\
         <label for=\"network\">Network</label>\
         <select id=\"network\" name=\"network\">{options}</select>\n\
         <input type=\"hidden\" name=\"origin\" id=\"origin\" value=\"{origin}\">\n\
         <div class=\"actions\"><button class=\"main\" id=\"log-in\">Log in</button></div>\n\
         </form>\n"
    )
    .ok();
}

/// Everything that waits is decided.
pub(super) fn decide(state: &DevWalletState, yes: bool) -> Reply {
    let decided = state.answer_all(yes);
    let body = format!(
        "<p class=\"done\" role=\"status\">{decided} decided. You may close this page.</p>"
    );
    let title = if yes { "Approved" } else { "Rejected" };
    Reply::page(200, frame(title, &body))
}

/// Somebody has filled the form in.
pub(super) fn log_in(state: &DevWalletState, asked: &Asked) -> Reply {
    let fields = asked.form();
    let field = |name: &str| {
        let mut fields = fields.iter();
        let found = fields.find(|(it, _)| it == name);
        found.map(|(_, it)| it.clone()).unwrap_or_default()
    };
    let (user, network) = (field("user"), field("network"));
    let checked = state.lock().check_password(&user, &field("password"));
    if let Err(why) = checked {
        return page(state, asked, Some(&why));
    }
    let origin = field("origin");
    let known_origin = Some(origin.clone()).filter(|it| !it.is_empty());
    match state.log_in_user(&user, &network, known_origin) {
        Ok((known, session)) => {
            let (user, network) = (escape(&user), escape(&network));
            let mut body = format!(
                "<p class=\"done\" role=\"status\" id=\"logged-in\">You are logged in as {user} \
                 on {network}. You may close this page.</p>\n"
            );
            let nonce = crate::random::secret();
            if let Some(target) = target(&state.lock(), &origin) {
                body.push_str(&hand_over(&known, &session, &target, &nonce));
            }
            Reply::page_with_script(200, frame("Logged in", &body), &nonce)
        }
        Err(why) => page(state, asked, Some(&why)),
    }
}

/// Who may read the token: the origin that has made itself known; without one nobody, or anybody.
fn target(inner: &Inner, origin: &str) -> Option<String> {
    let url = url::Url::parse(origin).ok();
    let origin = url.filter(|it| matches!(it.scheme(), "http" | "https"));
    let origin = origin.map(|it| it.origin().ascii_serialization());
    let anybody = || inner.dialect().token_to_anybody.then(|| "*".to_owned());
    origin.or_else(anybody)
}

/// Asks whoever opened the page for their origin: sessions are for one. They say it again and again
/// until they are heard.
fn ask_origin(nonce: &str) -> String {
    format!(
        "<script nonce=\"{nonce}\">\n\
         if(window.opener){{window.addEventListener(\"message\",function(event){{\n\
         if(event.source!==window.opener||!event.data\
         ||event.data.type!==\"SPLICE_WALLET_BROADCAST_ORIGIN\"){{return;}}\n\
         document.getElementById(\"origin\").value=event.origin;\n\
         window.opener.postMessage({{type:\"SPLICE_WALLET_BROADCAST_ORIGIN_ACK\"}},event.origin);\n\
         }});}}\n</script>\n"
    )
}

/// Tells whoever opened the page who has logged in. This is how the token reaches a program in a
/// browser; the protocol has no other way. `target` is the only origin that may read it.
fn hand_over(known: &Known, session: &str, target: &str, nonce: &str) -> String {
    let token = script_string(known.token.expose_secret());
    let (session, target) = (script_string(session), script_string(target));
    format!(
        "<script nonce=\"{nonce}\">\n\
         if(window.opener){{window.opener.postMessage({{\
         type:\"SPLICE_WALLET_IDP_AUTH_SUCCESS\",token:{token},sessionId:{session}}},{target});}}\n\
         </script>"
    )
}

/// The identity provider's form.
pub(crate) fn authorize(
    client: &str,
    request: &[(String, String)],
    user: &str,
    problem: Option<&str>,
) -> Reply {
    const KEPT: [&str; 8] = [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    ];
    let mut body = String::new();
    if let Some(problem) = problem {
        let problem = escape(problem);
        write!(body, "<p class=\"error\" role=\"alert\">{problem}</p>").ok();
    }
    let hidden: String = request
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()))
        .map(|(name, value)| {
            let value = escape(value);
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n")
        })
        .collect();
    let (client, user) = (escape(client), escape(user));
    write!(
        body,
        "<p>The program <strong>{client}</strong> wants to act for you.</p>\n\
         <form method=\"post\" action=\"/idp/authorize\">\n{hidden}\
         <label for=\"user\">User</label>\
         <input id=\"user\" name=\"user\" value=\"{user}\" autocomplete=\"username\">\n\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" \
         autocomplete=\"current-password\">\n\
         <div class=\"actions\">\
         <button class=\"main\" name=\"decision\" value=\"allow\">Log in</button>\
         <button name=\"decision\" value=\"deny\">Refuse</button></div>\n</form>\n"
    )
    .ok();
    let status = if problem.is_some() { 403 } else { 200 };
    Reply::page(status, frame("Let a program in", &body))
}

impl Inner {
    /// Whether this is a user, and their password.
    pub(crate) fn check_password(&self, user: &str, password: &str) -> Result<(), String> {
        let known = self.gateway.users.iter().find(|it| it.name == user);
        let right = known.is_some_and(|it| {
            let expected = it.password.as_ref();
            expected.is_none_or(|expected| expected.expose_secret() == password)
        });
        if right {
            Ok(())
        } else {
            Err("There is no such user, or the password is wrong.".to_owned())
        }
    }
}

impl DevWalletState {
    /// Logs a user in: a token, and a session with it. Answers both, the session by its id.
    pub(crate) fn log_in_user(
        &self,
        user: &str,
        network: &str,
        origin: Option<String>,
    ) -> Result<(Known, String), String> {
        let token = {
            let mut inner = self.lock();
            let networks = inner.gateway.networks.iter();
            let signed_by_itself = networks
                .clone()
                .any(|it| it.id == network && it.idp == "idp-self-signed");
            if signed_by_itself {
                Some(inner.self_signed_token(user, network))
            } else {
                let issued = inner.issue_token(user, "wallet", "openid daml_ledger_api");
                issued.map(|(token, _)| token)
            }
        };
        let token = token.ok_or("The token could not be signed.")?;
        let known = Known {
            user: user.to_owned(),
            token,
            stale: false,
            api_key: false,
        };
        // A wallet's own page is an origin, too.
        let own = self.lock().base_url();
        let login = Login {
            known: known.clone(),
            network: network.to_owned(),
            origin: origin.or(Some(own)),
        };
        let session = self
            .log_in(login)
            .map_err(|error| error.message().to_owned())?;
        Ok((known, session.id))
    }
}
