//! Where the command keeps sessions, and the keys to them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use directories::ProjectDirs;
use moorline::store::keys::{KeyError, KeyFuture, KeyId, KeySet, Marks};
use moorline::store::{EnvironmentKeys, FileStore, KeyFile, KeySource};

use crate::failure::Failure;
#[cfg(feature = "keyring")]
use crate::keyring;

/// Records of this command open nowhere else.
const APPLICATION: &str = "moorline-cli";

/// Where sessions are kept, as said on the command line.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct StoreArgs {
    /// The folder with the sessions, which is made if it is not there (default: in this
    /// platform's folder for application data).
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) store: Option<PathBuf>,
    /// Where the keys to them are: `auto` (the keyring where there is one, a key file otherwise),
    /// `keyring`, `file:PATH` or `env:VARIABLE`
    #[arg(long, value_name = "WHERE", default_value_t, global = true)]
    pub(crate) keys: KeyChoice,
}

/// Where keys are, as said on the command line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum KeyChoice {
    /// The keyring where there is one, a key file otherwise.
    #[default]
    Auto,
    /// The keyring of the operating system.
    Keyring,
    /// This file.
    File(PathBuf),
    /// This environment variable.
    Environment(String),
}

impl FromStr for KeyChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "keyring" => Ok(Self::Keyring),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment(name.into())),
            _ => Err("expected `auto`, `keyring`, `file:PATH` or `env:VARIABLE`"),
        }
    }
}

impl fmt::Display for KeyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Keyring => f.write_str("keyring"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Environment(name) => write!(f, "env:{name}"),
        }
    }
}

/// Opens the store, and says where its keys are.
pub(crate) fn open(args: &StoreArgs) -> Result<FileStore, Failure> {
    let dirs = ProjectDirs::from("", "", "moorline");
    let folder = match (&args.store, &dirs) {
        (Some(folder), _) => folder.clone(),
        (None, Some(dirs)) => dirs.data_local_dir().join("sessions"),
        (None, None) => return Err(Failure::NoHome("--store DIR")),
    };
    let keys = choose(&args.keys, dirs.as_ref().map(ProjectDirs::config_dir))?;
    Ok(FileStore::open(folder, keys, APPLICATION)?)
}

fn choose(choice: &KeyChoice, config: Option<&Path>) -> Result<Keys, Failure> {
    let config = || config.ok_or(Failure::NoHome("--keys file:PATH"));
    let source: Box<dyn KeySource> = match choice {
        KeyChoice::File(path) => Box::new(KeyFile::new(path)),
        KeyChoice::Environment(name) => Box::new(EnvironmentKeys::new(name)),
        #[cfg(feature = "keyring")]
        KeyChoice::Keyring => Box::new(keyring::source(config()?)?),
        #[cfg(not(feature = "keyring"))]
        KeyChoice::Keyring => return Err(Failure::KeyringNotBuilt),
        KeyChoice::Auto => automatic(config()?)?,
    };
    Ok(Keys(source))
}

/// The key file if there is one: keys stay where they were made. Otherwise the keyring, if there
/// is one.
fn automatic(config: &Path) -> Result<Box<dyn KeySource>, Failure> {
    let file = KeyFile::new(config.join("session.key"));
    #[cfg(feature = "keyring")]
    if !file.path().exists() && (keyring::is_there() || keyring::was_chosen(config)) {
        return Ok(Box::new(keyring::source(config)?));
    }
    Ok(Box::new(file))
}

/// Keys from whatever was chosen.
struct Keys(Box<dyn KeySource>);

impl KeySource for Keys {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn load(&self) -> KeyFuture<'_, Option<KeySet>> {
        self.0.load()
    }

    fn create(&self) -> KeyFuture<'_, KeySet> {
        self.0.create()
    }

    fn replace(&self, expected: KeyId, next: KeySet) -> KeyFuture<'_, KeySet> {
        self.0.replace(expected, next)
    }

    fn marks(&self) -> Option<&dyn Marks> {
        self.0.marks()
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Keys(error.to_string())
    }
}
