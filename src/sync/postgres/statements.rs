//! What is said to the server.

use tokio_postgres::{Client, Statement};

/// What things are called on the server. All are plain identifiers: nothing is quoted.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) table: String,
    pub(super) aside: String,
    pub(super) channel: String,
}

impl Names {
    /// Identifiers hold 63 bytes; the longest of ours must fit.
    const LONGEST: usize = 40;

    pub(super) fn new(table: &str) -> Result<Self, String> {
        let mut bytes = table.bytes();
        let begins = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let plain = bytes.next().is_some_and(begins)
            && bytes.all(|byte| begins(byte) || byte.is_ascii_digit());
        if !plain || table.len() > Self::LONGEST {
            return Err(format!(
                "`{table}` cannot be the name of a table here: 1 to {} lower-case letters, digits \
                 and underscores, not a digit first",
                Self::LONGEST
            ));
        }
        Ok(Self {
            table: table.into(),
            aside: format!("{table}_aside"),
            channel: format!("{table}_news"),
        })
    }
}

/// Statements of one connection, prepared.
pub(super) struct Statements {
    /// Slot: revision and bytes.
    pub(super) get: Statement,
    /// Slots, revisions, bytes: the slots that were empty and are written now.
    pub(super) insert: Statement,
    /// Slots, expected, revisions, bytes: the slots that had what was expected and are written now.
    pub(super) update: Statement,
    /// Slots: those in which something stands, and its revision.
    pub(super) revisions: Statement,
    /// Slot and expected: a row if it is empty now.
    pub(super) remove: Statement,
    /// Slot: a row if something was moved.
    pub(super) set_aside: Statement,
    /// Slot and limit: the slots after it.
    pub(super) list: Statement,
}

impl Statements {
    pub(super) async fn prepare(
        client: &Client,
        names: &Names,
    ) -> Result<Self, tokio_postgres::Error> {
        let Names {
            table,
            aside,
            channel,
        } = names;
        // A removal is told as revision 0: those that follow may begin again.
        let tell = |revision: &str| {
            format!("pg_notify('{channel}', encode(slot, 'hex') || ':' || {revision})")
        };
        let get = format!("SELECT revision, bytes FROM {table} WHERE slot = $1");
        // In the order of slots, so that two of these never wait for each other in a circle.
        let insert = format!(
            "WITH written AS (
                INSERT INTO {table} (slot, revision, bytes)
                SELECT i.slot, i.revision, i.bytes
                FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS i (slot, revision, bytes)
                ORDER BY i.slot
                ON CONFLICT (slot) DO NOTHING
                RETURNING slot, revision
            )
            SELECT slot, {} FROM written",
            tell("revision")
        );
        // Rows are locked in order first, for the same reason; the lock holds the newest version,
        // and the condition is looked at again on that.
        let update = format!(
            "WITH input AS MATERIALIZED (
                SELECT i.slot, i.expected, i.revision, i.bytes
                FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[])
                    AS i (slot, expected, revision, bytes)
            ), locked AS MATERIALIZED (
                SELECT t.slot FROM {table} t JOIN input i
                ON t.slot = i.slot AND t.revision = i.expected
                ORDER BY t.slot
                FOR UPDATE OF t
            ), written AS (
                UPDATE {table} t SET revision = i.revision, bytes = i.bytes
                FROM input i JOIN locked l ON l.slot = i.slot
                WHERE t.slot = i.slot AND t.revision = i.expected
                RETURNING t.slot, t.revision
            )
            SELECT slot, {} FROM written",
            tell("revision")
        );
        let revisions = format!("SELECT slot, revision FROM {table} WHERE slot = ANY($1)");
        let remove = format!(
            "WITH gone AS (
                DELETE FROM {table} WHERE slot = $1 AND revision = $2 RETURNING slot, revision
            )
            SELECT {} FROM gone",
            tell("0")
        );
        let set_aside = format!(
            "WITH gone AS (
                DELETE FROM {table} WHERE slot = $1 RETURNING slot, revision, bytes
            ), kept AS (
                INSERT INTO {aside} (slot, revision, bytes)
                SELECT slot, revision, bytes FROM gone
                RETURNING slot, revision
            )
            SELECT {} FROM kept",
            tell("0")
        );
        let list = format!("SELECT slot FROM {table} WHERE slot > $1 ORDER BY slot LIMIT $2");
        Ok(Self {
            get: client.prepare(&get).await?,
            insert: client.prepare(&insert).await?,
            update: client.prepare(&update).await?,
            revisions: client.prepare(&revisions).await?,
            remove: client.prepare(&remove).await?,
            set_aside: client.prepare(&set_aside).await?,
            list: client.prepare(&list).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_fit_an_identifier() {
        for good in ["a", "_x", "shop_sessions_2", &"n".repeat(40)] {
            let names = Names::new(good).unwrap();
            assert!(names.aside.len() <= 63 && names.channel.len() <= 63);
        }
        for bad in ["", "2nd", "Shop", "a-b", "a; drop", "ä", &"n".repeat(41)] {
            let error = Names::new(bad).unwrap_err();
            assert!(error.contains("1 to 40"), "{error}");
        }
    }
}
