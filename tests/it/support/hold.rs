//! Writes that wait: the counters' rows locked until the test lets go.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::TestApp;

/// While it is held, every `next` waits for the database.
pub struct Hold {
    release: Arc<Notify>,
    held: JoinHandle<()>,
}

impl Hold {
    /// Locks the counters with a transaction that goes on.
    pub async fn of_counters(test: &TestApp) -> Self {
        let (release, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let database = test.app.database.clone();
        let (until, started) = (Arc::clone(&release), Arc::clone(&begun));
        let held = tokio::spawn(async move {
            let transaction = database.write(move |transaction| {
                let (until, started) = (Arc::clone(&until), Arc::clone(&started));
                Box::pin(async move {
                    execute(transaction, "UPDATE counters SET current = current").await?;
                    started.notify_one();
                    until.notified().await;
                    Ok(())
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

/// Changes the database behind the app's back.
pub async fn alter(test: &TestApp, sql: &'static str) {
    let altered = test.app.database.write(move |transaction| Box::pin(execute(transaction, sql))).await;
    assert!(altered.is_ok(), "{sql}: {altered:?}");
}

async fn execute(transaction: &sea_orm::DatabaseTransaction, sql: &str) -> Result<(), cloakroom::error::Error> {
    use sea_orm::ConnectionTrait as _;
    Ok(transaction.execute_unprepared(sql).await.map(drop)?)
}
