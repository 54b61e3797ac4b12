//! What a wallet is, from a file.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use url::Url;

use super::sheet::{Cell, FileError, Mistake, Sheet, parse, suggestion};
use super::{Client, Config, Network, User};
use crate::approval::Approval;
use crate::profile::{Dialect, Profile};

/// A wallet's accounts, networks, users, programs and manners, as a TOML file has them.
///
/// ```toml
/// profile = "g1"              # strict, g1 or g2
/// accounts = ["alice", "bob"] # the first is primary
/// network = "canton:local"    # the one to begin with
/// approval = "manual"         # auto, manual, reject, or a time such as "5s"
/// time-scale = 60             # an hour passes in a minute
///
/// [[networks]]
/// id = "canton:other"
/// idp = "self-signed"         # or oauth
///
/// [[users]]
/// name = "carol"
/// password = "let me in"      # without one any will do
/// accounts = ["alice"]        # without this all
///
/// [[clients]]
/// id = "backend"
/// secret = "shh"              # without one a public client: PKCE alone
/// user = "carol"              # whom it acts for; without this, for a user of its own name
///
/// [dialect]                   # deviations by name, on top of the profile's
/// reject-is-silent = true
/// ```
///
/// More keys: `listen`, `require-login`, `session-ttl`, `token-ttl`, `keep-alive`, `heartbeat`,
/// `rate-limit`, `admin`, `public-url`, `audience`, `self-signed-secret`, `[[api-keys]]` with `key` and `user`;
/// networks have `name`, `description` and `ledger-api`, clients `redirects`. Whatever is left out
/// is as the builder has it. Keys that are not known are mistakes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DevWalletConfig {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) profile: Option<Profile>,
    pub(crate) dialect: Vec<(String, bool)>,
    pub(crate) require_login: Option<bool>,
    pub(crate) time_scale: Option<f64>,
    pub(crate) approval: Option<Approval>,
    pub(crate) session_ttl: Option<Duration>,
    pub(crate) token_ttl: Option<Duration>,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) rate_limit: Option<u32>,
    pub(crate) admin: Option<bool>,
    pub(crate) public_url: Option<String>,
    pub(crate) accounts: Option<Vec<String>>,
    pub(crate) network: Option<String>,
    pub(crate) known: Config,
}

impl DevWalletConfig {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`FileError`] with the line, and what would be right.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let text = FileError::text_of(path.as_ref())?;
        Self::from_toml(&text, path)
    }

    /// Reads a text; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`FileError`] with the line, and what would be right.
    pub fn from_toml(text: &str, path: impl AsRef<Path>) -> Result<Self, FileError> {
        let read = parse(text).and_then(read);
        read.map_err(|mistake| mistake.in_file(path.as_ref(), text))
    }

    /// Where it says to listen.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }
}

fn read(mut sheet: Sheet) -> Result<DevWalletConfig, Mistake> {
    let text = |cell: Option<Cell>| match cell {
        Some(cell) => cell.text().map(|text| Some(text.to_owned())),
        None => Ok(None),
    };
    let time = |cell: Option<Cell>| cell.map(|cell| cell.time()).transpose();
    let mut config = DevWalletConfig {
        listen: sheet
            .take("listen")
            .map(|cell| {
                let wrong = |_| cell.wrong("an address with a port is expected: 127.0.0.1:4103");
                cell.text()?.parse().map_err(wrong)
            })
            .transpose()?,
        profile: sheet
            .take("profile")
            .map(|cell| {
                let profile = cell.text()?.parse::<Profile>();
                profile.map_err(|problem| cell.wrong(problem.to_string()))
            })
            .transpose()?,
        require_login: sheet
            .take("require-login")
            .map(|it| it.boolean())
            .transpose()?,
        time_scale: sheet
            .take("time-scale")
            .map(|cell| match cell.number()? {
                scale if scale > 0.0 && scale.is_finite() => Ok(scale),
                _ => Err(cell.wrong("a number above 0 is expected")),
            })
            .transpose()?,
        approval: sheet
            .take("approval")
            .map(|cell| crate::admin::approval(cell.text()?).map_err(|why| cell.wrong(why)))
            .transpose()?,
        session_ttl: time(sheet.take("session-ttl"))?,
        token_ttl: time(sheet.take("token-ttl"))?,
        keep_alive: time(sheet.take("keep-alive"))?,
        heartbeat: time(sheet.take("heartbeat"))?,
        rate_limit: sheet.take("rate-limit").map(|it| it.count()).transpose()?,
        admin: sheet.take("admin").map(|it| it.boolean()).transpose()?,
        public_url: sheet
            .take("public-url")
            .map(|cell| {
                let wrong = |_| cell.wrong("an address such as http://wallet.example is expected");
                Url::parse(cell.text()?).map_err(wrong)?;
                cell.text().map(str::to_owned)
            })
            .transpose()?,
        accounts: sheet.take("accounts").map(Cell::texts).transpose()?,
        network: text(sheet.take("network"))?,
        ..DevWalletConfig::default()
    };
    if let Some(audience) = text(sheet.take("audience"))? {
        config.known.audience = audience;
    }
    if let Some(secret) = text(sheet.take("self-signed-secret"))? {
        config.known.self_signed_secret = secret.into();
    }
    if let Some(dialect) = sheet.take("dialect") {
        config.dialect = deviations(dialect)?;
    }
    for table in sheet.tables("networks")? {
        config.known.networks.push(network(table)?);
    }
    let users = sheet.tables("users")?.into_iter().map(user);
    replace(&mut config.known.users, users)?;
    let clients = sheet.tables("clients")?.into_iter().map(client);
    replace(&mut config.known.clients, clients)?;
    let keys = sheet.tables("api-keys")?.into_iter().map(|mut key| {
        let pair = (
            key.need("key")?.text()?.into(),
            key.need("user")?.text()?.to_owned(),
        );
        key.finish().map(|()| pair)
    });
    replace(&mut config.known.api_keys, keys)?;
    sheet.finish()?;
    Ok(config)
}

/// What is listed replaces the defaults; nothing listed leaves them.
fn replace<T>(
    defaults: &mut Vec<T>,
    listed: impl Iterator<Item = Result<T, Mistake>>,
) -> Result<(), Mistake> {
    let listed = listed.collect::<Result<Vec<_>, _>>()?;
    if !listed.is_empty() {
        *defaults = listed;
    }
    Ok(())
}

fn deviations(cell: Cell) -> Result<Vec<(String, bool)>, Mistake> {
    let known: Vec<&str> = Dialect::ALL.iter().map(|it| it.name).collect();
    let mut deviations = Vec::new();
    for (name, cell) in cell.table()?.rest() {
        if !known.contains(&name.as_str()) {
            let hint = suggestion(&name, &known);
            return Err(cell.wrong(format!("there is no deviation `{name}`{hint}")));
        }
        deviations.push((name, cell.boolean()?));
    }
    Ok(deviations)
}

fn network(mut sheet: Sheet) -> Result<Network, Mistake> {
    let id = sheet.need("id")?;
    let idp = match sheet.take("idp") {
        None => "idp-oauth",
        Some(cell) => match cell.text()? {
            "oauth" => "idp-oauth",
            "self-signed" => "idp-self-signed",
            _ => return Err(cell.wrong("`oauth` or `self-signed` is expected")),
        },
    };
    let mut network = Network::new(id.text()?, idp);
    if let Some(name) = sheet.take("name") {
        network.name = name.text()?.to_owned();
    }
    if let Some(description) = sheet.take("description") {
        network.description = description.text()?.to_owned();
    }
    if let Some(ledger) = sheet.take("ledger-api") {
        network.ledger_api = Some(ledger.text()?.to_owned());
    }
    sheet.finish()?;
    Ok(network)
}

fn user(mut sheet: Sheet) -> Result<User, Mistake> {
    let user = User {
        name: sheet.need("name")?.text()?.to_owned(),
        password: match sheet.take("password") {
            Some(cell) => Some(cell.text()?.into()),
            None => None,
        },
        accounts: sheet.take("accounts").map(Cell::texts).transpose()?,
    };
    sheet.finish()?;
    Ok(user)
}

fn client(mut sheet: Sheet) -> Result<Client, Mistake> {
    let text = |cell: Option<Cell>| match cell {
        Some(cell) => cell.text().map(|text| Some(text.to_owned())),
        None => Ok(None),
    };
    let client = Client {
        id: sheet.need("id")?.text()?.to_owned(),
        secret: text(sheet.take("secret"))?.map(Into::into),
        user: text(sheet.take("user"))?,
        redirects: sheet
            .take("redirects")
            .map(Cell::texts)
            .transpose()?
            .unwrap_or_default(),
    };
    sheet.finish()?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        DevWalletConfig::from_toml(text, "w.toml")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn mistakes_are_pointed_at() {
        assert_eq!(
            refused("accounts = [\"a\"]\nprofle = \"g1\"\n"),
            "w.toml:2: unknown key `profle`; did you mean `profile`?"
        );
        assert!(refused("profile = \"g9\"").starts_with("w.toml:1: there is no profile"));
        assert!(refused("\n[[users]]\npassword = \"x\"\n").contains("`name` is missing"));
        assert!(refused("\n[[networks]]\nid = \"x\"\nidp = \"y\"").starts_with("w.toml:4:"));
        assert!(refused("[dialect]\nbare-eror = true").contains("did you mean `bare-errors`"));
        assert!(refused("time-scale = 0").contains("above 0"));
        assert!(refused("session-ttl = \"soon\"").contains("5s"));
        assert!(refused("a = ").starts_with("w.toml:1:"));
    }

    #[test]
    fn what_is_written_is_read() {
        let text = "profile = \"g2\"\napproval = \"5s\"\ntime-scale = 60\n\
                    [[users]]\nname = \"carol\"\naccounts = [\"alice\"]\n\
                    [[networks]]\nid = \"canton:x\"\nidp = \"self-signed\"\n\
                    [dialect]\nno-batch = false\n";
        let config = DevWalletConfig::from_toml(text, "w.toml").unwrap();
        assert_eq!(config.profile, Some(Profile::G2));
        assert_eq!(
            config.approval,
            Some(Approval::After(Duration::from_secs(5)))
        );
        assert_eq!(config.known.users.len(), 1);
        assert!(config.known.networks.iter().any(|it| it.id == "canton:x"));
        assert_eq!(config.dialect, [("no-batch".to_owned(), false)]);
    }
}
