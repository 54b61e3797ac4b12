//! Pages for people: plain forms.

mod approve;
mod html;
mod login;

use hyper::Method;
use url::Url;

pub(crate) use self::html::escape;
pub(crate) use self::login::authorize;

use crate::http::{Asked, Reply};
use crate::state::DevWalletState;

/// Answers a request for a page.
pub(crate) fn serve(state: &DevWalletState, asked: &Asked) -> Reply {
    let path = asked.path.trim_end_matches('/');
    let post = asked.method == Method::POST;
    if post && !is_same_origin(state, asked) {
        return problem(403, "the form was sent from another site");
    }
    match (&asked.method, path) {
        (&Method::GET | &Method::HEAD, "/login") => login::page(state, asked, None),
        (&Method::POST, "/login") => login::log_in(state, asked),
        (&Method::POST, "/login/approve") => login::decide(state, true),
        (&Method::POST, "/login/reject") => login::decide(state, false),
        (&Method::GET | &Method::HEAD, "/approve" | "/approve/index.html") => {
            approve::page(state, asked)
        }
        (&Method::POST, "/approve" | "/approve/index.html") => approve::decide(state, asked),
        (&Method::GET | &Method::HEAD, "") => Reply::see_other("/login/"),
        (&Method::GET | &Method::HEAD | &Method::POST, _) => problem(404, "there is no such page"),
        _ => problem(405, "only GET, and POST to decide"),
    }
}

/// A page that says what is wrong.
pub(crate) fn problem(status: u16, what: &str) -> Reply {
    let body = format!("<p class=\"error\" role=\"alert\">{}</p>", escape(what));
    Reply::page(status, html::page("That did not work", &body))
}

/// Whether a form was sent by a page of this wallet: browsers say where from. The host must be
/// one the wallet is reached at, or a name could be pointed at it from elsewhere.
pub(crate) fn is_same_origin(state: &DevWalletState, asked: &Asked) -> bool {
    let Some(host) = asked.header("host") else {
        return false;
    };
    if !is_own_host(state, host) {
        return false;
    }
    match asked.header("origin") {
        // Programs that are no browsers.
        None => asked
            .header("sec-fetch-site")
            .is_none_or(|it| it == "same-origin"),
        Some(origin) => Url::parse(origin)
            .ok()
            .is_some_and(|origin| authority(&origin) == host.to_ascii_lowercase()),
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Names that can only be this computer, addresses, and the wallet's own name.
pub(crate) fn is_own_host(state: &DevWalletState, host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}")) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Domain("localhost") | url::Host::Ipv4(_) | url::Host::Ipv6(_)) => true,
        Some(url::Host::Domain(name)) => {
            let own = Url::parse(&state.lock().base_url());
            own.is_ok_and(|own| own.host_str() == Some(name))
        }
        None => false,
    }
}
