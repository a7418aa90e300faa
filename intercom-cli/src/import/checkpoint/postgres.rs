//! Checkpoints in the schema of a PostgreSQL outbox.

use intercom_core::DataEvent;
use intercom_postgres::PostgresOutbox;
use intercom_postgres::tokio_postgres::accept_in_schema;
use tokio_postgres::{Client, Row};

use super::{Checkpoint, Stored, import_is_running};
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) struct PostgresCheckpoints {
    client: Client,
    schema: String,
    /// The name of the table, quoted.
    table: String,
}

impl PostgresCheckpoints {
    pub(super) async fn open(url: &str, schema: &str) -> Result<Self, Failure> {
        let client = PostgresOutbox::builder(url).client().await?;
        let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
        let table = format!("{quoted}.import_progress");
        let there = client
            .query_opt("SELECT to_regclass($1)::text WHERE to_regclass($1) IS NOT NULL", &[&table])
            .await
            .map_err(|error| failed(&error))?;
        if there.is_none() {
            // A role that may only accept needs no right to create the table if it exists.
            client
                .batch_execute(&format!(
                    "CREATE TABLE IF NOT EXISTS {table} (
                        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                        first bigint NOT NULL,
                        records bigint NOT NULL,
                        digest bigint NOT NULL,
                        plan bigint NOT NULL,
                        accepted bigint NOT NULL,
                        file text NOT NULL,
                        updated_at timestamptz NOT NULL
                    );
                    CREATE INDEX IF NOT EXISTS import_progress_first ON {table} (first);"
                ))
                .await
                .map_err(|error| failed(&error))?;
        }
        Ok(PostgresCheckpoints { client, schema: schema.to_owned(), table })
    }

    pub(super) async fn find(&self, first: i64) -> Result<Vec<Checkpoint>, Failure> {
        let select = format!(
            "SELECT id, first, records, digest, plan, accepted, file FROM {} WHERE first = $1
             ORDER BY records DESC, id DESC",
            self.table
        );
        let rows = self.client.query(&select, &[&first]).await.map_err(|error| failed(&error))?;
        let read = |row: &Row| Checkpoint {
            id: row.get(0),
            first: row.get(1),
            records: row.get(2),
            digest: row.get(3),
            plan: row.get(4),
            accepted: row.get(5),
            file: row.get(6),
        };
        Ok(rows.iter().map(read).collect())
    }

    pub(super) async fn begin(
        &mut self,
        checkpoint: &Checkpoint,
        known: usize,
        forgotten: &[i64],
    ) -> Result<i64, Failure> {
        let table = &self.table;
        let transaction = self.client.transaction().await.map_err(|error| failed(&error))?;
        let begin = async {
            // No other import begins meanwhile. Steps of other imports go on.
            transaction
                .batch_execute(&format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
                .await?;
            let there = format!("SELECT count(*) FROM {table} WHERE first = $1");
            let there: i64 = transaction.query_one(&there, &[&checkpoint.first]).await?.get(0);
            if usize::try_from(there) != Ok(known) {
                return Ok(None);
            }
            let delete = format!("DELETE FROM {table} WHERE id = ANY($1)");
            transaction.execute(&delete, &[&forgotten]).await?;
            let insert = format!(
                "INSERT INTO {table} (first, records, digest, plan, accepted, file, updated_at)
                 VALUES ($1, 0, 0, $2, 0, $3, now()) RETURNING id"
            );
            let values = &[
                &checkpoint.first as &(dyn tokio_postgres::types::ToSql + Sync),
                &checkpoint.plan,
                &checkpoint.file,
            ];
            Ok(Some(transaction.query_one(&insert, values).await?.get(0)))
        };
        let id: Option<i64> = begin.await.map_err(|error| failed(&error))?;
        let id = id.ok_or_else(|| import_is_running(&checkpoint.file))?;
        transaction.commit().await.map_err(|error| failed(&error))?;
        Ok(id)
    }

    pub(super) async fn step(
        &mut self,
        before: i64,
        checkpoint: &Checkpoint,
        events: &[DataEvent],
    ) -> Result<Stored, Failure> {
        let Checkpoint { id, first: _, records, digest, plan, accepted, file } = checkpoint;
        let update = format!(
            "UPDATE {} SET records = $3, digest = $4, accepted = $5, file = $6, plan = $7,
             updated_at = now() WHERE id = $1 AND records = $2",
            self.table
        );
        let transaction = self.client.transaction().await.map_err(|error| failed(&error))?;
        let moved = transaction
            .execute(&update, &[id, &before, records, digest, accepted, file, plan])
            .await
            .map_err(|error| failed(&error))?;
        if moved != 1 {
            return Err(import_is_running(file));
        }
        let stored = match events {
            [] => Stored::Done,
            events => Stored::of(accept_in_schema(&transaction, &self.schema, events).await)?,
        };
        if let Stored::Done = stored {
            transaction.commit().await.map_err(|error| failed(&error))?;
        }
        Ok(stored)
    }
}

fn failed(error: &tokio_postgres::Error) -> Failure {
    let message = crate::failure::with_sources(error);
    Failure::new(
        Exit::Operator,
        "outbox",
        format!(
            "the database refused a statement: {message}; correct that, then start the import again"
        ),
    )
}
