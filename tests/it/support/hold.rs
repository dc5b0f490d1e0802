//! Writes that wait: rows locked until the test lets go.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::error::Error;
use cloakroom::store::DatabaseTransaction;
use sea_orm::ConnectionTrait as _;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{TestApp, TestDatabase};

/// While it is held, whoever writes these rows waits for the database.
pub struct Hold {
    release: Arc<Notify>,
    held: JoinHandle<()>,
}

impl Hold {
    /// Locks the counters, for which every `next` waits.
    pub async fn of_counters(test: &TestApp) -> Self {
        Self::of(test, "UPDATE counters SET current = current").await
    }

    /// Locks what this statement locks, with a transaction that goes on.
    pub async fn of(test: &TestApp, sql: &'static str) -> Self {
        let (release, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let database = test.app.database.clone();
        let (until, started) = (Arc::clone(&release), Arc::clone(&begun));
        let held = tokio::spawn(async move {
            let transaction = database.write(move |transaction| {
                let (until, started) = (Arc::clone(&until), Arc::clone(&started));
                Box::pin(async move {
                    execute(transaction, sql).await?;
                    started.notify_one();
                    stay(transaction, &until).await
                })
            });
            assert!(transaction.await.is_ok(), "the lock is released well");
        });
        begun.notified().await;
        Self { release, held }
    }

    /// Lets go.
    pub async fn release(self) {
        self.release.notify_one();
        self.held.await.expect("the transaction ends");
    }
}

/// Until the test lets go, says something now and then: a transaction that is silent for 3 seconds is given up.
async fn stay(transaction: &DatabaseTransaction, until: &Notify) -> Result<(), Error> {
    while timeout(Duration::from_millis(500), until.notified()).await.is_err() {
        execute(transaction, "SELECT 1").await?;
    }
    Ok(())
}

/// Changes the database behind the app's back.
pub async fn alter(test: &TestApp, sql: &'static str) {
    let spelled: &'static str = TestDatabase::spell(sql).leak();
    let altered = test.app.database.write(move |transaction| Box::pin(execute(transaction, spelled))).await;
    assert!(altered.is_ok(), "{sql}: {altered:?}");
}

async fn execute(transaction: &DatabaseTransaction, sql: &str) -> Result<(), Error> {
    Ok(transaction.execute_unprepared(sql).await.map(drop)?)
}
