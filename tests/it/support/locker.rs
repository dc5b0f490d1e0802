//! Another program that locks the rows of counters, one after the other, for a moment or longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait as _};
use tokio::task::JoinHandle;

use super::{Random, TestDatabase};

/// Longer than a statement of the group commit waits on PostgreSQL.
const LONG: Duration = Duration::from_millis(250);

/// The program. It has nothing to do on SQLite, which has no locks of rows.
pub struct Locker {
    stopped: Arc<AtomicBool>,
    task: JoinHandle<usize>,
}

impl Locker {
    /// On the database of this URL.
    pub fn start(url: String, random: Random) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stopped);
        let task = tokio::spawn(async move {
            match TestDatabase::is_sqlite() {
                true => 0,
                false => lock_until(&url, &until, random).await,
            }
        });
        Self { stopped, task }
    }

    /// Returns how many locks it had.
    pub async fn stop(self) -> usize {
        self.stopped.store(true, Ordering::SeqCst);
        self.task.await.expect("it ends")
    }
}

async fn lock_until(url: &str, stopped: &AtomicBool, mut random: Random) -> usize {
    let connection = Database::connect(url).await.expect("the database answers");
    let mut locks = 0;
    while !stopped.load(Ordering::SeqCst) {
        let hold = match random.below(8) {
            0 => LONG,
            _ => Duration::from_millis(random.below(20)),
        };
        // Given up by the database, or without a counter: once more.
        locks += usize::from(lock_one(&connection, &mut random, hold).await.unwrap_or(false));
        tokio::time::sleep(Duration::from_millis(1 + random.below(20))).await;
    }
    drop(connection.close().await);
    locks
}

async fn lock_one(connection: &DatabaseConnection, random: &mut Random, hold: Duration) -> Result<bool, DbErr> {
    let backend = connection.get_database_backend();
    let (ids, literal) = match backend {
        DbBackend::Postgres => ("SELECT id::text AS id FROM counters", "uuid"),
        _ => ("SELECT hex(id) AS id FROM counters", "unhex"),
    };
    let ids = connection.query_all_raw(Statement::from_string(backend, ids)).await?;
    let Some(row) = ids.get(usize::try_from(random.below(ids.len().max(1) as u64)).expect("an index")) else {
        return Ok(false);
    };
    let id: String = row.try_get("", "id")?;
    let transaction = connection.begin().await?;
    let lock = format!("SELECT name FROM counters WHERE id = {literal}('{id}') FOR UPDATE");
    let locked = transaction.query_one_raw(Statement::from_string(backend, lock)).await?;
    tokio::time::sleep(hold).await;
    transaction.commit().await?;
    Ok(locked.is_some())
}
