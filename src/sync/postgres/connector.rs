//! Making one connection.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::timeout;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::statements::Names;
use crate::sync::engine::{Tls, explain};

/// The half of a connection that carries; nothing moves unless it is polled.
pub(super) type Carrier =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Knows where the server is and how to speak to it.
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    pub(super) names: Names,
    pub(super) timeout: Duration,
    /// Server and database, for people.
    pub(super) place: String,
}

impl Connector {
    /// The error is a sentence, without any part of the address.
    pub(super) fn new(
        address: &str,
        names: Names,
        timeout: Duration,
        tls: &Tls,
    ) -> Result<Self, String> {
        // What the parser says may quote a password that was not escaped.
        let wrong = || {
            "the address of the server cannot be understood; it is \
             postgres://user:password@host:port/database, with %XX for what is special in a URL"
                .to_owned()
        };
        let mut config: Config = address.parse().map_err(|_| wrong())?;
        // The parser ends a password at the first `@`: the rest of it would be told as a place.
        let told = place(&config);
        if told.contains('@') {
            return Err(wrong());
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("the address of the server names no host".into());
        }
        if config.get_application_name().is_none() {
            config.application_name("moorline");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(timeout);
        }
        // A standby would give old answers.
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Self {
            place: told,
            tls: MakeRustlsConnect::new(tls.config()?),
            config,
            names,
            timeout,
        })
    }

    /// A connection that is set up: limits, isolation, durability. Every part of it is bounded by
    /// the timeout. The error is a sentence.
    pub(super) async fn connect(&self) -> Result<(Client, Carrier), String> {
        let connecting = async {
            let (client, mut carrier) = self.config.connect(self.tls.clone()).await?;
            let limit = self.timeout.as_millis();
            let set_up = format!(
                "SET statement_timeout = {limit};
                 SET lock_timeout = {limit};
                 SET default_transaction_isolation = 'read committed';
                 SELECT set_config('synchronous_commit', 'on', false)
                 WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');"
            );
            carried(&mut carrier, client.batch_execute(&set_up)).await?;
            Ok((client, carrier))
        };
        match timeout(self.timeout, connecting).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(error)) => Err(self.reason(&error)),
            Err(_) => Err(format!("{} did not answer in time", self.place)),
        }
    }

    /// What went wrong, for people.
    pub(super) fn reason(&self, error: &tokio_postgres::Error) -> String {
        match error.as_db_error() {
            // Its details can quote rows; its message does not.
            Some(told) => format!(
                "{} says: {} ({})",
                self.place,
                told.message(),
                told.code().code()
            ),
            None => format!("{}: {}", self.place, explain(error)),
        }
    }
}

/// Does some work on a connection that nobody else carries.
pub(super) async fn carried<T>(
    carrier: &mut Carrier,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, tokio_postgres::Error> {
    let mut work = pin!(work);
    match select(work.as_mut(), carrier).await {
        Either::Left((result, _)) => result,
        Either::Right((Err(lost), _)) => Err(lost),
        // Its end is an answer to the work, too.
        Either::Right((Ok(()), _)) => work.await,
    }
}

fn place(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
    let names: Vec<String> = if config.get_hosts().is_empty() {
        addresses.collect()
    } else {
        hosts.collect()
    };
    let ports = config.get_ports();
    let with_ports: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let port = ports.get(index).or_else(|| ports.first()).unwrap_or(&5432);
            format!("{name}:{port}")
        })
        .collect();
    let database = config
        .get_dbname()
        .or_else(|| config.get_user())
        .unwrap_or("");
    format!("PostgreSQL at {}/{database}", with_ports.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector(address: &str) -> Result<Connector, String> {
        let names = Names::new("t").unwrap();
        Connector::new(address, names, Duration::from_secs(1), &Tls::System)
    }

    #[test]
    fn a_place_is_told_without_the_password() {
        let url = connector("postgres://ann:hunter2@db:6432,db2/shop").unwrap();
        assert!(
            url.place.starts_with("PostgreSQL at db:6432,db2:"),
            "{}",
            url.place
        );
        assert!(url.place.ends_with("/shop"), "{}", url.place);
        let words = connector("host=db user=ann password=hunter2").unwrap();
        assert_eq!(words.place, "PostgreSQL at db:5432/ann");
    }

    #[test]
    fn an_address_that_is_not_one_is_not_quoted() {
        for address in [
            "postgres://ann:x@hunter2@db/shop",
            "postgres://ann:x@hun/ter2@db/shop",
            "postgres://ann:hun#hunter2@db:port/shop",
            "password=hunter2 hunter2",
            "hunter2",
            "password=hunter2 user=ann",
        ] {
            let error = connector(address).err().unwrap();
            assert!(!error.contains("hun"), "{address}: {error}");
        }
    }
}
