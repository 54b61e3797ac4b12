//! From an address and a login to what speaks with the wallet there, again after a restart.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline::provider::EventSink;
use moorline::{Provider, ProviderEvent};
use moorline_cip0103::auth::{ApiKey, AuthorizationCode, ClientCredentials, StaticToken};
use moorline_cip0103::{Credentials, HttpProvider, WsProvider};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::args::LoginArgs;
use crate::failure::Failure;
use crate::login::Shown;

/// The provider for this address: its scheme says which transport.
pub(crate) fn provider(url: &str, login: &LoginArgs) -> Result<Arc<dyn Provider>, Failure> {
    Recipe::new(url, login)?.build()
}

/// All that a provider is built from, secrets included. Serialised it is what a sealed store keeps
/// of it, and belongs nowhere else.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Recipe {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<Login>,
}

/// How the program gets in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
enum Login {
    Token {
        token: Secret,
    },
    ApiKey {
        key: Secret,
    },
    Client {
        issuer: String,
        id: String,
        secret: Secret,
        audience: Option<String>,
    },
    Browser {
        issuer: String,
        id: String,
        audience: Option<String>,
        #[serde(default)]
        refresh: Refresh,
    },
}

/// A secret that is written where its recipe is.
#[derive(Clone)]
struct Secret(SecretString);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecretString::deserialize(deserializer).map(Self)
    }
}

/// The refresh token that the identity provider gave last. Clones share it, so that what is stored
/// follows what the provider uses.
#[derive(Clone, Default)]
struct Refresh(Arc<Mutex<Token>>);

#[derive(Default)]
struct Token {
    last: Option<SecretString>,
    /// The session that is to store it.
    session: Option<EventSink>,
    /// Whether it is another since the session was last told.
    untold: bool,
}

impl Refresh {
    fn lock(&self) -> MutexGuard<'_, Token> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Option<SecretString> {
        self.lock().last.clone()
    }

    /// Has it stored at once: an identity provider may take each token once only, and then the
    /// one before is worth nothing.
    fn put(&self, token: Option<&SecretString>) {
        let session = {
            let mut place = self.lock();
            place.last = token.cloned();
            place.untold = true;
            place.session.clone()
        };
        self.say(session);
    }

    fn tell(&self, session: EventSink) {
        let untold = {
            let mut place = self.lock();
            place.session = Some(session);
            place.session.clone().filter(|_| place.untold)
        };
        self.say(untold);
    }

    /// Nothing is locked meanwhile: the session may ask for the token to store it.
    fn say(&self, session: Option<EventSink>) {
        // Nobody hears an epoch that is over: the next one is told when it begins.
        if let Some(session) = session
            && session.send(ProviderEvent::PayloadChanged)
        {
            self.lock().untold = false;
        }
    }
}

impl Serialize for Refresh {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.now().map(Secret).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Refresh {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = Option::<Secret>::deserialize(deserializer)?;
        let refresh = Self::default();
        refresh.lock().last = token.map(|Secret(token)| token);
        Ok(refresh)
    }
}

impl Recipe {
    /// What the command line says, with secrets from the environment.
    pub(crate) fn new(url: &str, args: &LoginArgs) -> Result<Self, Failure> {
        let audience = args.audience.clone();
        let login = match args.credential.shown()? {
            Shown::Token(token) => Some(Login::Token {
                token: Secret(token),
            }),
            Shown::ApiKey(key) => Some(Login::ApiKey { key: Secret(key) }),
            Shown::Client { issuer, id, secret } => Some(Login::Client {
                issuer,
                id,
                secret: Secret(secret),
                audience,
            }),
            Shown::Nothing => args.credential.issuer.clone().map(|issuer| Login::Browser {
                issuer,
                id: args.credential.client_id.clone().unwrap_or_else(own_id),
                audience,
                refresh: Refresh::default(),
            }),
        };
        Ok(Self {
            url: url.to_owned(),
            network: args.network.clone(),
            login,
        })
    }

    /// Tells this session from now on when what is to be stored has changed.
    pub(crate) fn tell_changes(&self, session: EventSink) {
        if let Some(Login::Browser { refresh, .. }) = &self.login {
            refresh.tell(session);
        }
    }

    /// Where the wallet is, without user, password, path and query, all of which may hold secrets.
    pub(crate) fn place(&self) -> Option<String> {
        let url = Url::parse(&self.url).ok()?;
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{}://{host}:{port}", url.scheme()),
            None => format!("{}://{host}", url.scheme()),
        })
    }

    /// Builds the provider. Nothing is dialled yet.
    pub(crate) fn build(&self) -> Result<Arc<dyn Provider>, Failure> {
        let scheme = self.url.split(':').next().unwrap_or_default();
        let remote = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let credentials = self.login.as_ref().map(Login::credentials).transpose()?;
        if !remote {
            if credentials.is_some() {
                return Err(Failure::Login(
                    "a login is for remote gateways, whose address begins with `https:`",
                ));
            }
            return Ok(Arc::new(WsProvider::new(&self.url)?));
        }
        let mut builder = HttpProvider::builder(&self.url);
        if let Some(credentials) = credentials {
            builder = builder.authenticator(credentials);
        }
        if let Some(network) = &self.network {
            builder = builder.network(network);
        }
        Ok(Arc::new(builder.build()?))
    }
}

/// Which client this program is where nobody says.
fn own_id() -> String {
    "moorline-cli".to_owned()
}

impl Login {
    fn credentials(&self) -> Result<Credentials, Failure> {
        Ok(match self {
            Self::Token { token } => StaticToken::new(token.0.clone()).into(),
            Self::ApiKey { key } => ApiKey::new(key.0.clone()).into(),
            Self::Client {
                issuer,
                id,
                secret,
                audience,
            } => {
                let mut client = ClientCredentials::new(issuer, id, secret.0.clone())?;
                if let Some(audience) = audience {
                    client = client.audience(audience);
                }
                client.into()
            }
            Self::Browser {
                issuer,
                id,
                audience,
                refresh,
            } => {
                let kept = refresh.clone();
                let mut code = AuthorizationCode::new(issuer, id)?
                    .on_refresh_token(move |token| kept.put(token));
                if let Some(token) = refresh.now() {
                    code = code.refresh_token(token);
                }
                if let Some(audience) = audience {
                    code = code.audience(audience);
                }
                code.into()
            }
        })
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("place", &self.place())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_hold_nothing_that_may_be_secret() {
        let place = |url: &str| {
            let recipe = Recipe::new(url, &LoginArgs::default()).unwrap();
            recipe.place().unwrap_or_default()
        };
        assert_eq!(
            place("wss://user:s3cret@wallet.example:8443/t/s3cret?key=s3cret"),
            "wss://wallet.example:8443"
        );
        assert_eq!(
            place("https://wallet.example/api"),
            "https://wallet.example"
        );
        assert_eq!(place("no url"), "");
    }

    #[test]
    fn what_is_written_builds_the_same_and_shows_nothing() {
        let refresh = Refresh::default();
        refresh.put(Some(&"s3cret".into()));
        let recipe = Recipe {
            url: "https://wallet.example/api".into(),
            network: Some("canton:local".into()),
            login: Some(Login::Browser {
                issuer: "https://idp.example".into(),
                id: own_id(),
                audience: None,
                refresh: refresh.clone(),
            }),
        };
        assert!(!format!("{recipe:?}").contains("s3cret"));
        let again = recipe.clone();
        // What the identity provider gives later is written, too, by every clone.
        refresh.put(Some(&"s3cret-2".into()));
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert!(text.contains(r#""refresh":"s3cret-2""#), "{text}");
        let again: Recipe = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert!(again.build().is_ok());
    }
}
