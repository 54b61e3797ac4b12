//! What authenticators ask identity providers.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use oauth2::http;
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use super::{AuthError, AuthErrorKind};
use crate::address::is_trustworthy;
use crate::http::{ClientOptions, collect, retry_after, why};

/// The longest answer of an identity provider that is read, in bytes.
const LONGEST: usize = 1024 * 1024;
/// How long an identity provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// An identity provider's error, kept for its status.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the identity provider cannot be reached: {}", why(.0))]
    Unreachable(#[source] reqwest::Error),
    #[error("the identity provider's answer cannot be read")]
    Unreadable,
    #[error("the identity provider answers with status {status}")]
    Failing {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
}

impl From<FetchError> for AuthError {
    fn from(error: FetchError) -> Self {
        let after = match &error {
            FetchError::Failing { retry_after, .. } => *retry_after,
            _ => None,
        };
        Self::unavailable(error.to_string())
            .with_retry_after(after)
            .with_source(error)
    }
}

/// A client for one identity provider.
pub(super) fn client(issuer: &Url, options: &ClientOptions) -> Result<Client, AuthError> {
    options.build(issuer).map_err(|problem| {
        AuthError::new(AuthErrorKind::Malformed, "no HTTP client can be set up")
            .with_source(problem)
    })
}

/// What the OAuth crate hands its requests to.
pub(super) fn carrier(
    client: &Client,
) -> impl Fn(oauth2::HttpRequest) -> Carried + Send + Sync + 'static {
    let client = client.clone();
    move |request| {
        let client = client.clone();
        Box::pin(async move { carry(&client, request).await })
    }
}

/// An answer on its way.
pub(super) type Carried =
    Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, FetchError>> + Send>>;

async fn carry(
    client: &Client,
    request: oauth2::HttpRequest,
) -> Result<oauth2::HttpResponse, FetchError> {
    let request = reqwest::Request::try_from(request).map_err(|_| FetchError::Unreadable)?;
    let answer = async {
        let response = client
            .execute(request)
            .await
            .map_err(|problem| FetchError::Unreachable(problem.without_url()))?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = retry_after(response.headers());
            return Err(FetchError::Failing {
                status,
                retry_after,
            });
        }
        let mut answer = http::Response::builder().status(status);
        if let Some(kind) = response.headers().get(http::header::CONTENT_TYPE) {
            answer = answer.header(http::header::CONTENT_TYPE, kind);
        }
        let body = collect(response, LONGEST)
            .await
            .map_err(|_| FetchError::Unreadable)?;
        answer.body(body).map_err(|_| FetchError::Unreadable)
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(FetchError::Failing {
            status: StatusCode::GATEWAY_TIMEOUT,
            retry_after: None,
        }),
    }
}

/// Fetches a document.
pub(super) async fn get<T: DeserializeOwned>(client: &Client, url: &Url) -> Result<T, AuthError> {
    if !is_trustworthy(url) {
        return Err(untrusted(url));
    }
    let request = http::Request::get(url.as_str())
        .header(http::header::ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|_| FetchError::Unreadable)?;
    let answer = carry(client, request).await?;
    if !answer.status().is_success() {
        return Err(AuthError::new(
            AuthErrorKind::Malformed,
            format!(
                "the identity provider has no {} (status {})",
                url.path(),
                answer.status()
            ),
        ));
    }
    serde_json::from_slice(answer.body()).map_err(|problem| {
        AuthError::new(
            AuthErrorKind::Malformed,
            format!(
                "the identity provider's {} cannot be understood",
                url.path()
            ),
        )
        .with_source(problem)
    })
}

pub(super) fn untrusted(url: &Url) -> AuthError {
    AuthError::new(
        AuthErrorKind::Malformed,
        format!(
            "`{}` on another computer is no place for secrets; only https, or http on this one, will do",
            url.scheme()
        ),
    )
}
