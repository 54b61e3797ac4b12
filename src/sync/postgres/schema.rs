//! The tables, made when they are not there.

use super::connector::{Carrier, Connector, carried};
use super::statements::Names;
use tokio_postgres::Client;

/// Makes the tables unless they are there. Processes that do so at the same time wait for each
/// other. The error is a sentence.
pub(super) async fn ensure(connector: &Connector) -> Result<(), String> {
    let (client, mut carrier) = connector.connect().await?;
    let made = tokio::time::timeout(
        connector.timeout,
        make(&client, &mut carrier, &connector.names),
    );
    match made.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(connector.reason(&error)),
        Err(_) => Err(format!("{} did not answer in time", connector.place)),
    }
}

async fn make(
    client: &Client,
    carrier: &mut Carrier,
    names: &Names,
) -> Result<(), tokio_postgres::Error> {
    let Names { table, aside, .. } = names;
    let look = async {
        let row = client
            .query_one(
                "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL,
                        current_setting('fsync') = 'on'",
                &[table, aside],
            )
            .await?;
        Ok((row.try_get::<_, bool>(0)?, row.try_get::<_, bool>(1)?))
    };
    let (there, flushes) = carried(carrier, look).await?;
    if !flushes {
        tracing::warn!("PostgreSQL runs with fsync off: a crash of its computer can undo writes");
    }
    // One who may not make tables may use them.
    if there {
        return Ok(());
    }
    // Sealed bytes do not compress. Room is left in pages, so that most updates touch one place.
    let script = format!(
        "BEGIN;
         SELECT pg_advisory_xact_lock(hashtextextended('moorline:{table}', 0));
         CREATE TABLE IF NOT EXISTS {table} (
             slot bytea PRIMARY KEY CHECK (octet_length(slot) = 32),
             revision bigint NOT NULL CHECK (revision > 0),
             bytes bytea NOT NULL
         ) WITH (fillfactor = 70);
         ALTER TABLE {table} ALTER COLUMN bytes SET STORAGE EXTERNAL;
         CREATE TABLE IF NOT EXISTS {aside} (
             id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             slot bytea NOT NULL,
             revision bigint NOT NULL,
             bytes bytea NOT NULL,
             moved_at timestamptz NOT NULL DEFAULT now()
         );
         COMMIT;"
    );
    carried(carrier, client.batch_execute(&script)).await
}
