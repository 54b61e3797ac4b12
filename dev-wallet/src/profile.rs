//! Which wallet the HTTP side behaves like: the standard, or one of the two generations of
//! gateways that are in use.

use std::fmt;
use std::str::FromStr;

/// Whose manners the wallet has over HTTP.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Profile {
    /// The standard to the letter. The default. `provider.version` is the version of the description
    /// of the dApp API that is served, as the standard wants it, and not the wallet's own: `0.1.0`
    /// of the remote API over HTTP, `0.5.0` of the synchronous one over a WebSocket.
    #[default]
    Strict,
    /// The gateways of May 2026: one session a user, errors without messages, HTML errors.
    G1,
    /// The gateways of August to November 2026: one session a token, messages, `messageSignature`.
    G2,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Strict, Self::G1, Self::G2];

    /// How it is called on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::G1 => "g1",
            Self::G2 => "g2",
        }
    }

    /// Where it leaves the standard.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Strict => Dialect::STRICT,
            Self::G1 => Dialect::G1,
            Self::G2 => Dialect::G2,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No profile is called this.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no profile `{0}`; there are strict, g1 and g2")]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        let known = Self::ALL.into_iter().find(|it| it.name() == name);
        known.ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

/// One way in which a wallet leaves the standard, or uses a freedom that surprises clients.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Deviation {
    /// Its name, stable.
    pub name: &'static str,
    /// What the wallet does.
    pub what: &'static str,
}

macro_rules! dialect {
    ($($flag:ident $name:literal $g1:literal $g2:literal $what:literal;)*) => {
        /// Where the HTTP side leaves the standard: a switch for each way. All off is
        /// [`Profile::Strict`]; mixtures are allowed, see
        /// [`DevWalletBuilder::dialect`](crate::DevWalletBuilder::dialect).
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub struct Dialect {
            $(#[doc = $what] pub $flag: bool,)*
        }

        impl Dialect {
            /// No deviation.
            pub const STRICT: Self = Self { $($flag: false,)* };
            /// Those of [`Profile::G1`].
            pub const G1: Self = Self { $($flag: $g1,)* };
            /// Those of [`Profile::G2`].
            pub const G2: Self = Self { $($flag: $g2,)* };
            /// Every deviation there is.
            pub const ALL: &[Deviation] = &[$(Deviation { name: $name, what: $what },)*];

            /// The deviations that are on.
            pub fn deviations(&self) -> Vec<Deviation> {
                let on = [$(self.$flag,)*];
                let all = Self::ALL.iter().zip(on);
                all.filter(|(_, on)| *on).map(|(deviation, _)| *deviation).collect()
            }

            /// Switches a deviation by its name; `false` if there is none of that name.
            pub fn set(&mut self, name: &str, on: bool) -> bool {
                match name {
                    $($name => self.$flag = on,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

//                                                              G1    G2
dialect! {
    bare_errors "bare-errors"                                   true  false
        "4100, -32600 and -32601 carry a code and no message.";
    html_errors "html-errors"                                   true  false
        "Invalid JSON, a wrong content type, a sub-path and a body too large are answered with HTML pages.";
    vague_parse_errors "vague-parse-errors"                     false true
        "Invalid JSON is an internal error: status 500, `Something went wrong`.";
    null_id_on_refusal "null-id-on-refusal"                     true  true
        "-32600 and -32601 are answered with the id `null` instead of the request's.";
    no_batch "no-batch"                                         true  true
        "A batch is an invalid request.";
    answers_notifications "answers-notifications"               true  true
        "A request without an id is answered, with the id `null`.";
    get_is_invalid_request "get-is-invalid-request"             true  false
        "GET on the API's path is answered with -32600 instead of 405.";
    close_after_unknown_method "close-after-unknown-method"     true  false
        "The connection is closed after -32601.";
    prototype_methods_crash "prototype-methods-crash"           true  false
        "Methods called like a property of every JavaScript object (`toString`) end in an HTML 500.";
    event_names_crash "event-names-crash"                       true  true
        "Calling an event is an internal error instead of 4200.";
    absent_method_unknown "absent-method-unknown"               true  true
        "Methods of the synchronous API alone are -32601 instead of 4200.";
    unchecked_params "unchecked-params"                         true  true
        "Params are not checked: wrong ones are tried, and fail later or not at all.";
    plain_rate_limit "plain-rate-limit"                         true  true
        "429 has a plain text for a body, sent as text/html, instead of -32005.";
    version_todo "version-todo"                                 true  true
        "`provider.version` is the word `TODO`, and absent from events that end a session.";
    extra_status_fields "extra-status-fields"                   true  true
        "`status` has a `userUrl` at the top and a `session.id`, which its schema forbids.";
    account_rights "account-rights"                             true  true
        "Accounts have `rights`, which their schema forbids.";
    reason_ok "reason-ok"                                       true  true
        "`reason` and `networkReason` are given when nothing is wrong: `OK`.";
    blames_network "blames-network"                             true  true
        "Without a session the network is said to be unreachable, because of `Unauthenticated`.";
    user_url_when_connected "user-url-when-connected"           true  true
        "`connect` and `isConnected` give a `userUrl` though nothing is to be done there.";
    connect_announces "connect-announces"                       true  true
        "Every `connect` with a session sends `statusChanged` and `connected`, though nothing changed.";
    connected_means_ledger "connected-means-ledger"             true  true
        "`connected` after a login has the reachability of the ledger for `isConnected`.";
    user_wide_sessions "user-wide-sessions"                     true  false
        "One session a user: a login replaces it for every program, a disconnect ends it for all.";
    user_wide_streams "user-wide-streams"                       true  false
        "A stream carries whatever concerns its user: other programs' transactions, other logins' tokens.";
    streams_outlive_logout "streams-outlive-logout"             true  false
        "Streams stay open when the wallet ends the session, and carry on with the user's next one.";
    streams_outlive_disconnect "streams-outlive-disconnect"     true  true
        "Streams stay open when the program disconnects.";
    streams_outlive_token "streams-outlive-token"               true  true
        "Streams stay open when their token expires.";
    token_outlives_disconnect "token-outlives-disconnect"       true  true
        "The token stays good after a disconnect: a new session needs no new token.";
    deaf_disconnect "deaf-disconnect"                           true  true
        "`disconnect` without a good token answers `null` and does nothing.";
    disconnect_always_announced "disconnect-always-announced"   true  false
        "`disconnect` sends `statusChanged` even if there was no session.";
    no_session_is_internal "no-session-is-internal"             true  true
        "A good token without a session is an internal error, `No session found`, instead of 4100.";
    idp_outage_is_logout "idp-outage-is-logout"                 true  true
        "The identity provider is asked at every request: while it is down nobody is authenticated.";
    self_signed_unchecked "self-signed-unchecked"               true  false
        "Neither signature nor expiry of a self-signed token is checked; only the ledger minds.";
    self_signed_key_id "self-signed-key-id"                     false true
        "A self-signed token must name its network as its key (`kid`).";
    api_keys "api-keys"                                         false true
        "`Authorization: ApiKey` opens a session of its own, whose transactions nobody approves.";
    tx_superset "tx-superset"                                   true  true
        "`executed` carries the whole stored transaction, which its schema forbids.";
    signed_unannounced "signed-unannounced"                     true  false
        "There is no `signed` event.";
    signed_without_signature "signed-without-signature"         false true
        "The `signed` event has no signature.";
    reject_is_silent "reject-is-silent"                         true  false
        "A rejected transaction sends no event: it is never heard of again.";
    prepare_failure_is_silent "prepare-failure-is-silent"       true  true
        "A transaction that cannot be prepared was announced as pending, and never as failed.";
    execute_failure_is_silent "execute-failure-is-silent"       true  true
        "A transaction that the ledger rejects sends no event.";
    internal_ledger_errors "internal-ledger-errors"             true  true
        "What the ledger refuses is an internal error, with the ledger's own error as data.";
    ledger_get_post_only "ledger-get-post-only"                 true  true
        "`ledgerApi` knows get and post alone.";
    network_loss_is_silent "network-loss-is-silent"             true  true
        "Losing or finding the ledger sends no `statusChanged`.";
    sign_message_crashes "sign-message-crashes"                 true  false
        "`signMessage` ends in an HTML 500.";
    sign_message_by_event "sign-message-by-event"               false true
        "`signMessage` answers a `messageId` and a `userUrl`; the signature comes as `messageSignature`.";
    failed_login_leaves_session "failed-login-leaves-session"   true  false
        "A login that failed (unknown network, ledger down) leaves a session behind.";
    login_fails_without_ledger "login-fails-without-ledger"     true  true
        "A user's first login fails while the ledger is down.";
    login_needs_origin "login-needs-origin"                     false true
        "`addSession` needs an origin.";
    leaks_secrets "leaks-secrets"                               true  false
        "`listNetworks` tells everybody the clients' secrets.";
    bare_user_api_errors "bare-user-api-errors"                 true  false
        "The user API answers without a session `{\"error\": \"No active session found\"}`, without a token an HTML 500.";
    token_to_anybody "token-to-anybody"                         true  false
        "The login page hands the token to whatever page opened it, not to an origin it knows.";
    rate_limit_headers "rate-limit-headers"                     true  true
        "Every answer has `RateLimit-*` headers; 10,000 requests a minute are allowed.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_called_what_they_are_called() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        assert!("g3".parse::<Profile>().is_err());
    }

    #[test]
    fn deviations_have_names_and_strict_has_none() {
        assert!(Profile::Strict.dialect().deviations().is_empty());
        assert!(
            Profile::G1.dialect().deviations().len() > Profile::G2.dialect().deviations().len()
        );
        let mut dialect = Dialect::STRICT;
        for deviation in Dialect::ALL {
            assert!(dialect.set(deviation.name, true));
        }
        assert_eq!(dialect.deviations().len(), Dialect::ALL.len());
        assert!(!dialect.set("no-such-thing", true));
    }
}
