//! What a cluster stands on.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use moorline::store::backend::{Backend, Files};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Engine {
    Files,
    #[cfg(feature = "nats")]
    Nats,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Engine {
    /// Those that are built in and there.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Files];
        #[cfg(feature = "nats")]
        all.push(Self::Nats);
        #[cfg(feature = "postgres")]
        all.push(Self::Postgres);
        let wanted = std::env::var("MOORLINE_CLUSTER_ENGINES");
        all.retain(|it| {
            let wanted = wanted.as_deref();
            wanted.map_or(true, |wanted| {
                wanted.split(',').any(|name| name == it.name())
            })
        });
        all
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            #[cfg(feature = "nats")]
            Self::Nats => "nats",
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let all = [
            Self::Files,
            #[cfg(feature = "nats")]
            Self::Nats,
            #[cfg(feature = "postgres")]
            Self::Postgres,
        ];
        *all.iter().find(|it| it.name() == name).unwrap()
    }

    fn variable(self, what: &str) -> String {
        let name = format!("MOORLINE_{}{what}", self.name().to_uppercase());
        std::env::var(&name)
            .unwrap_or_else(|_| panic!("{name} is not set: run this under scripts/services"))
    }

    /// Where the server is; `None` if there is none.
    pub(crate) fn address(self) -> Option<String> {
        (self != Self::Files).then(|| self.variable(""))
    }

    /// Host and port in an address.
    pub(crate) fn place(address: &str) -> String {
        let rest = address.split_once('@').unwrap().1;
        rest.split('/').next().unwrap().to_owned()
    }

    /// `kill`, `start`.
    pub(crate) fn control(self, what: &str) {
        let status = Command::new(self.variable("_CONTROL")).arg(what).status();
        assert!(status.unwrap().success(), "{what}");
    }

    /// One bucket, table or folder.
    pub(crate) async fn open(self, address: &str, folder: &Path, name: &str) -> Box<dyn Backend> {
        let timeout = Duration::from_secs(2);
        let _ = (address, timeout);
        loop {
            let opened: Result<Box<dyn Backend>, String> = match self {
                Self::Files => Files::open(folder.join(name))
                    .map(|it| Box::new(it) as Box<dyn Backend>)
                    .map_err(|error| error.to_string()),
                #[cfg(feature = "nats")]
                Self::Nats => moorline::sync::nats::Bucket::builder(address)
                    .bucket(name)
                    .timeout(timeout)
                    .open()
                    .await
                    .map(|it| Box::new(it) as Box<dyn Backend>)
                    .map_err(|error| error.to_string()),
                #[cfg(feature = "postgres")]
                Self::Postgres => moorline::sync::postgres::Table::builder(address)
                    .table(name)
                    .timeout(timeout)
                    .open()
                    .await
                    .map(|it| Box::new(it) as Box<dyn Backend>)
                    .map_err(|error| error.to_string()),
            };
            match opened {
                Ok(backend) => return backend,
                Err(error) => eprintln!("not open yet: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
