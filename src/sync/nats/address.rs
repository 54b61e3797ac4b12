//! Addresses of servers, with the names and passwords taken out of them.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;

/// Who says hello.
#[derive(Debug)]
pub(super) enum Credentials {
    None,
    Password {
        user: String,
        password: SecretString,
    },
    Token(SecretString),
}

/// Servers of one cluster, and how to introduce oneself. The addresses are clean: the client may
/// log them.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) servers: Vec<ServerAddr>,
    pub(super) credentials: Credentials,
    /// The servers, for people.
    pub(super) place: String,
}

const FORM: &str = "it is nats://user:password@host:port or tls://..., several with commas \
    between, with %XX for what is special in a URL";

impl Address {
    /// The error is a sentence, without any part of the address.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut servers = Vec::new();
        let mut credentials = Credentials::None;
        for part in text.split(',') {
            let wrong = || format!("the address of the server cannot be understood; {FORM}");
            let server: ServerAddr = part.trim().parse().map_err(|_| wrong())?;
            if !matches!(server.scheme(), "nats" | "tls") || server.host().is_empty() {
                return Err(wrong());
            }
            let decode = |text: &str| {
                let decoded = percent_decode_str(text).decode_utf8();
                decoded.map(String::from).map_err(|_| wrong())
            };
            if let Credentials::None = credentials {
                let user = server.username().map(decode).transpose()?;
                let password = server.password().map(decode).transpose()?;
                credentials = match (user, password) {
                    (None, None) => Credentials::None,
                    (Some(token), None) => Credentials::Token(token.into()),
                    (user, Some(password)) => Credentials::Password {
                        user: user.unwrap_or_default(),
                        password: password.into(),
                    },
                };
            }
            let mut url = server.into_inner();
            // A password with a `/` or `#` in it would end up here, and before it a place.
            let rest = url.query().or_else(|| url.fragment());
            if rest.is_some() || !matches!(url.path(), "" | "/") {
                return Err(wrong());
            }
            let cleaned = url.set_username("").and_then(|()| url.set_password(None));
            cleaned.map_err(|()| wrong())?;
            servers.push(ServerAddr::from_url(url).map_err(|_| wrong())?);
        }
        let names = servers
            .iter()
            .map(|it| format!("{}:{}", it.host(), it.port()));
        Ok(Self {
            place: format!("NATS at {}", names.collect::<Vec<_>>().join(",")),
            servers,
            credentials,
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn passwords_are_taken_out() {
        let address = Address::parse("nats://ann:hun%40ter2@a:4333,tls://b, c").unwrap();
        assert_eq!(address.place, "NATS at a:4333,b:4222,c:4222");
        assert!(!format!("{address:?}").contains("hun"), "{address:?}");
        let Credentials::Password { user, password } = address.credentials else {
            panic!("no password")
        };
        assert_eq!(
            (user.as_str(), password.expose_secret()),
            ("ann", "hun@ter2")
        );
    }

    #[test]
    fn a_name_alone_is_a_token() {
        let address = Address::parse("nats://s3cret@a").unwrap();
        assert!(!format!("{address:?}").contains("s3cret"), "{address:?}");
        let Credentials::Token(token) = address.credentials else {
            panic!("no token")
        };
        assert_eq!(token.expose_secret(), "s3cret");
    }

    #[test]
    fn an_address_that_is_not_one_is_not_quoted() {
        for address in [
            "http://ann:hunter2@a",
            "ws://ann:hunter2@a",
            "nats://ann:hunter2@a:port",
            "nats://ann:hun#hunter2@:4222",
            "nats://ann:hunter2@",
            "nats://hun:12/34@a",
            "nats://hun:12#34@a",
            "nats://hun:12?34@a",
            "nats://ann:hunter2@a,",
            "",
        ] {
            let error = Address::parse(address).err().unwrap();
            assert!(!error.contains("hun"), "{address}: {error}");
        }
    }
}
