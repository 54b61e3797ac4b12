//! Who the program is, from what the command line says and the environment holds.

use secrecy::SecretString;

use crate::args::CredentialArgs;
use crate::failure::Failure;

/// What a program shows to be let in.
#[derive(Debug)]
pub(crate) enum Shown {
    Nothing,
    Token(SecretString),
    ApiKey(SecretString),
    Client {
        issuer: String,
        id: String,
        secret: SecretString,
    },
}

impl CredentialArgs {
    pub(crate) fn shown(&self) -> Result<Shown, Failure> {
        if let Some(name) = &self.token_env {
            return Ok(Shown::Token(secret(name)?));
        }
        if let Some(name) = &self.api_key_env {
            return Ok(Shown::ApiKey(secret(name)?));
        }
        match (&self.issuer, &self.client_id, &self.client_secret_env) {
            (Some(issuer), Some(id), Some(name)) => Ok(Shown::Client {
                issuer: issuer.clone(),
                id: id.clone(),
                secret: secret(name)?,
            }),
            _ => Ok(Shown::Nothing),
        }
    }
}

/// What an environment variable holds. Taken from nowhere else.
fn secret(name: &str) -> Result<SecretString, Failure> {
    match std::env::var(name) {
        Ok(secret) if !secret.trim().is_empty() => Ok(secret.trim().into()),
        _ => Err(Failure::NoSecret(name.to_owned())),
    }
}
