//! Getting in: every way to authenticate, and what becomes of credentials that end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::provider::ErrorKind;
use moorline::{DisconnectReason, EventKind};
use moorline_cip0103::auth::{
    ApiKey, AuthFuture, AuthRequest, Authenticator, AuthorizationCode, SelfSigned, StaticToken,
};
use moorline_cip0103::{Authentication, Credentials, HttpProvider};
use moorline_dev_wallet::{Approval, DevWallet, Profile};
use secrecy::SecretString;

use crate::rig::{
    GENERATIONS, NETWORK, Rig, backend, browse, builder, connecting, has, issuer, names_until,
    next_event, sent_to, session, soon,
};

async fn wallet(profile: Profile) -> DevWallet {
    DevWallet::builder().profile(profile).start().await.unwrap()
}

#[tokio::test]
async fn a_program_logs_in_as_itself() {
    for profile in GENERATIONS {
        let rig = Rig::new(profile).await;
        let snapshot = rig.session.snapshot();
        assert!(snapshot.primary().is_some(), "{profile}");
        assert_eq!(snapshot.network.as_ref().unwrap().as_str(), NETWORK);
        assert!(rig.session.expires_at().is_some(), "{profile}");
        assert_eq!(
            rig.gateway.borrow().authentication.state,
            Authentication::Valid
        );
        soon(rig.session.disconnect()).await;
        assert_eq!(rig.control.user_sessions(), 0, "{profile}");
    }
}

#[tokio::test]
async fn without_credentials_the_strict_wallet_is_enough() {
    let wallet = wallet(Profile::Strict).await;
    let session = session(HttpProvider::new(&wallet.http_url()).unwrap());
    soon(session.connect()).await.unwrap();
    soon(wallet.control().until_streams(1)).await;
}

#[tokio::test]
async fn a_token_an_api_key_and_a_self_signed_one_are_ways_in() {
    for profile in GENERATIONS {
        let wallet = wallet(profile).await;
        let on = |credentials: Credentials| {
            let builder = HttpProvider::builder(&wallet.http_url());
            builder
                .authenticator(credentials)
                .network(NETWORK)
                .build()
                .unwrap()
        };
        let token = wallet.control().issue_token("carol").unwrap();
        let ours = session(on(StaticToken::new(token).into()));
        soon(ours.connect()).await.unwrap();
        let page = wallet.control().log_in("dave", NETWORK).unwrap();
        let ours = session(on(StaticToken::new(page).into()));
        soon(ours.connect()).await.unwrap();
        if profile == Profile::G2 {
            let key = ApiKey::new("dev-api-key".to_owned().into());
            let provider = HttpProvider::builder(&wallet.http_url()).authenticator(key);
            soon(session(provider.build().unwrap()).connect())
                .await
                .unwrap();
        }
        let theirs = session(on(ApiKey::new("wrong".to_owned().into()).into()));
        let error = soon(theirs.connect()).await.unwrap_err();
        assert_eq!(
            error.provider_error().unwrap().kind(),
            ErrorKind::Unauthorized,
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_browser_logs_in_and_a_refresh_token_goes_on_without_it() {
    for profile in GENERATIONS {
        let wallet = DevWallet::builder()
            .profile(profile)
            .token_ttl(Duration::from_secs(2))
            .start()
            .await
            .unwrap();
        let code = AuthorizationCode::new(&issuer(&wallet), "moorline-cli").unwrap();
        let provider = HttpProvider::builder(&wallet.http_url())
            .authenticator(code)
            .network(NETWORK)
            .build()
            .unwrap();
        let session = session(provider);
        let mut events = session.events();
        let connecting = connecting(&session);
        let url = sent_to(&mut events).await;
        let page = browse(url).await;
        assert!(page.contains("You can close this page"), "{page}");
        soon(connecting).await.unwrap().unwrap();
        let names = names_until(&mut events, "session:renewed").await;
        assert!(!has(&names, "user:action-required"), "{profile}: {names:?}");
        assert!(session.snapshot().is_connected());
        session.close().await;
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_kept_lets_a_program_that_starts_anew_go_without_a_person() {
    let wallet = wallet(Profile::G2).await;
    let kept: Arc<Mutex<Option<SecretString>>> = Arc::default();
    let provider = |token: Option<SecretString>| {
        let kept = kept.clone();
        let mut code = AuthorizationCode::new(&issuer(&wallet), "moorline-cli")
            .unwrap()
            .on_refresh_token(move |token| *kept.lock().unwrap() = token.cloned());
        if let Some(token) = token {
            code = code.refresh_token(token);
        }
        let builder = HttpProvider::builder(&wallet.http_url()).authenticator(code);
        builder.network(NETWORK).build().unwrap()
    };
    let first = session(provider(None));
    let mut events = first.events();
    let connecting = connecting(&first);
    browse(sent_to(&mut events).await).await;
    soon(connecting).await.unwrap().unwrap();
    first.close().await;
    let token = kept.lock().unwrap().clone();
    assert!(token.is_some(), "it was handed over");

    let second = session(provider(token));
    let mut events = second.events();
    soon(second.connect()).await.unwrap();
    let names = names_until(&mut events, "session:connected").await;
    assert!(!has(&names, "user:action-required"), "{names:?}");
    second.close().await;
}

#[tokio::test]
async fn a_person_who_refuses_ends_the_login() {
    let wallet = wallet(Profile::G2).await;
    wallet.control().set_approval(Approval::Reject);
    let code = AuthorizationCode::new(&issuer(&wallet), "moorline-cli").unwrap();
    let builder = HttpProvider::builder(&wallet.http_url()).authenticator(code);
    let session = session(builder.network(NETWORK).build().unwrap());
    let mut events = session.events();
    let connecting = connecting(&session);
    let url = sent_to(&mut events).await;
    browse(url).await;
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert_eq!(
        error.provider_error().unwrap().kind(),
        ErrorKind::UserRejected,
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_refused_for_good() {
    let wallet = wallet(Profile::G2).await;
    let wrong = moorline_cip0103::auth::ClientCredentials::new(
        &issuer(&wallet),
        "moorline-backend",
        "s3cret-wrong".to_owned().into(),
    );
    let provider = HttpProvider::builder(&wallet.http_url()).authenticator(wrong.unwrap());
    let error = soon(session(provider.build().unwrap()).connect())
        .await
        .unwrap_err();
    let cause = error.provider_error().unwrap();
    assert_eq!(cause.kind(), ErrorKind::Refused);
    assert!(cause.message().contains("invalid_client"), "{cause}");
    assert!(!format!("{error:?}").contains("s3cret"));
}

/// Counts how often it is asked.
struct Counting<A>(A, Arc<AtomicUsize>);

impl<A: Authenticator> Authenticator for Counting<A> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn renews(&self) -> bool {
        self.0.renews()
    }

    fn authenticate<'a>(&'a self, request: AuthRequest<'a>) -> AuthFuture<'a> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.authenticate(request)
    }
}

#[tokio::test]
async fn tokens_are_renewed_ahead_of_their_end_once_for_all() {
    for profile in GENERATIONS {
        let wallet = DevWallet::builder()
            .profile(profile)
            .token_ttl(Duration::from_secs(2))
            .start()
            .await
            .unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counting = Counting(backend(&wallet), asked.clone());
        let first = builder(&wallet).authenticator(counting).build().unwrap();
        let providers = [first.another(), first.another(), first];
        let mut sessions = Vec::new();
        for provider in providers {
            let session = session(provider);
            soon(session.connect()).await.unwrap();
            sessions.push((session.events(), session));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        for (events, session) in &mut sessions {
            let names = names_until(events, "session:renewed").await;
            for bad in [
                "session:reconnecting",
                "session:expired",
                "session:disconnected",
            ] {
                assert!(!has(&names, bad), "{profile}: {names:?}");
            }
            assert!(session.snapshot().is_connected());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2, "{profile}");
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_ends_the_session_at_its_end() {
    for profile in GENERATIONS {
        let wallet = DevWallet::builder()
            .profile(profile)
            .token_ttl(Duration::from_millis(1500))
            .start()
            .await
            .unwrap();
        let token = wallet.control().issue_token("carol").unwrap();
        let provider = builder(&wallet)
            .authenticator(StaticToken::new(token))
            .build();
        let session = session(provider.unwrap());
        soon(session.connect()).await.unwrap();
        let mut events = session.events();
        let reason = next_event(&mut events, |kind| match kind {
            EventKind::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        })
        .await;
        assert_eq!(reason, DisconnectReason::Expired, "{profile}");
    }
}

#[tokio::test]
async fn a_token_that_expires_early_is_replaced_without_a_word() {
    for profile in GENERATIONS {
        let mut rig = Rig::with(
            profile,
            |wallet| wallet,
            |provider| provider.poll_interval(Duration::from_millis(50)),
        )
        .await;
        rig.control.expire_session();
        // A token that was just issued is not replaced at once: nobody knows whose fault it is.
        let names = rig.until("session:connected").await;
        assert!(!has(&names, "session:disconnected"), "{profile}: {names:?}");
        assert!(rig.session.snapshot().is_connected());
    }
}

#[tokio::test]
async fn a_self_signed_token_is_a_way_in_for_development() {
    let wallet = wallet(Profile::G1).await;
    let signed = SelfSigned::new("erin", "unsafe".to_owned().into());
    let provider = builder(&wallet).authenticator(signed).build().unwrap();
    soon(session(provider).connect()).await.unwrap();
}
