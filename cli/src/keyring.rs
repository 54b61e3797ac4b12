//! The keyring of the operating system.

use std::path::Path;
use std::sync::Arc;

use moorline::store::KeyringKeys;

use crate::failure::Failure;

const SERVICE: &str = "moorline";
const USER: &str = "session-keys";
/// Says that the keys are in the keyring, so that none are made elsewhere while it is locked.
const CHOSEN: &str = "keys-are-in-the-keyring";

/// Whether a keyring answers.
pub(crate) fn is_there() -> bool {
    connect().is_ok()
}

/// Whether keys were put into it before.
pub(crate) fn was_chosen(config: &Path) -> bool {
    config.join(CHOSEN).exists()
}

/// The keys in it. From now on they are looked for nowhere else.
pub(crate) fn source(config: &Path) -> Result<KeyringKeys, Failure> {
    connect()?;
    std::fs::create_dir_all(config)?;
    std::fs::write(config.join(CHOSEN), "")?;
    Ok(KeyringKeys::new(SERVICE, USER, config.join("keyring.lock")))
}

fn connect() -> Result<(), Failure> {
    if keyring_core::get_default_store().is_some() {
        return Ok(());
    }
    let store =
        platform().map_err(|error| Failure::Keys(format!("no keyring answers: {error}")))?;
    keyring_core::set_default_store(store);
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd"))]
fn platform() -> keyring_core::Result<Arc<keyring_core::CredentialStore>> {
    let store: Arc<keyring_core::CredentialStore> =
        dbus_secret_service_keyring_store::Store::new()?;
    Ok(store)
}

#[cfg(target_os = "macos")]
fn platform() -> keyring_core::Result<Arc<keyring_core::CredentialStore>> {
    let store: Arc<keyring_core::CredentialStore> =
        apple_native_keyring_store::keychain::Store::new()?;
    Ok(store)
}

#[cfg(windows)]
fn platform() -> keyring_core::Result<Arc<keyring_core::CredentialStore>> {
    let store: Arc<keyring_core::CredentialStore> = windows_native_keyring_store::Store::new()?;
    Ok(store)
}
