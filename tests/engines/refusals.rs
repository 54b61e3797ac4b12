//! What is refused, and how it is said.

use std::time::Duration;

use moorline::store::Revision;
use moorline::store::backend::{Backend, BackendError};
use moorline::sync::nats::Bucket;
use moorline::sync::postgres::Table;

use crate::engine::{Engine, authority, blob, fresh, slot, undisturbed};
use crate::on_every_engine;

on_every_engine! {
    a_wrong_password_is_refused_and_not_told;
    a_server_that_is_not_there_is_named;
    what_is_too_large_is_refused_and_what_is_not_is_kept;
    certificates_are_checked;
}

async fn a_wrong_password_is_refused_and_not_told(engine: Engine) {
    let _servers = undisturbed().await;
    let address = engine
        .address()
        .replace(&engine.password(), "hunter2-wrong");
    let error = engine.try_open(address, &fresh("bad")).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("auth"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

async fn a_server_that_is_not_there_is_named(engine: Engine) {
    let _servers = undisturbed().await;
    let address = engine.address_at("127.0.0.1:9");
    let error = engine.try_open(address, &fresh("gone")).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:9"), "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(!text.contains(&engine.password()), "{text}");
}

async fn what_is_too_large_is_refused_and_what_is_not_is_kept(engine: Engine) {
    let _servers = undisturbed().await;
    let backend = engine.open(&fresh("large")).await;
    let (limit, beyond) = match engine {
        Engine::Nats => ((1 << 20) - 200, 1 << 20),
        Engine::Postgres => (16 << 20, (16 << 20) + 1),
    };
    let s = slot(1);
    let large = blob(1, &vec![7; beyond]);
    let error = backend.put(s, large, Revision::NONE).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { .. }));
    assert!(error.to_string().contains(&beyond.to_string()) || engine == Engine::Nats);
    assert!(error.to_string().contains("at most"), "{error}");
    assert_eq!(backend.get(s).await, Ok(None));
    let fits = blob(1, &vec![7; limit]);
    backend.put(s, fits.clone(), Revision::NONE).await.unwrap();
    assert_eq!(backend.get(s).await, Ok(Some(fits)));
}

async fn certificates_are_checked(engine: Engine) {
    let _servers = undisturbed().await;
    let port = engine.place().split_once(':').unwrap().1.to_owned();
    let address = engine.address_at(&format!("localhost:{port}"));
    let name = fresh("tls");
    let error = match engine {
        Engine::Nats => {
            let address = address.replace("nats://", "tls://");
            let trusting = || Bucket::builder(address.clone()).bucket(&name);
            let error = trusting().open().await.unwrap_err();
            let trusting = trusting().certificate_authority(authority());
            let bucket = trusting.open().await.unwrap();
            assert_eq!(bucket.get(slot(1)).await, Ok(None));
            error
        }
        Engine::Postgres => {
            let address = address.replace("sslmode=disable", "sslmode=require");
            let trusting = || Table::builder(address.clone()).table(&name);
            let error = trusting().open().await.unwrap_err();
            let trusting = trusting().certificate_authority(authority());
            let table = trusting.open().await.unwrap();
            assert_eq!(table.get(slot(1)).await, Ok(None));
            error
        }
    };
    let text = error.to_string();
    assert!(text.to_lowercase().contains("certificate"), "{text}");
}

#[tokio::test]
async fn revisions_that_postgres_cannot_count_are_refused() {
    let _servers = undisturbed().await;
    let table = Engine::Postgres.open(&fresh("range")).await;
    let put = table.put(slot(1), blob(u64::MAX, b""), Revision::NONE);
    let error = put.await.unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
}

#[tokio::test]
async fn a_table_that_is_not_ours_is_refused() {
    let _servers = undisturbed().await;
    // One that the server has itself, with other columns.
    let opening = Table::builder(Engine::Postgres.address()).table("pg_class");
    let error = opening
        .timeout(Duration::from_secs(2))
        .open()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("PostgreSQL at"), "{error}");
}
