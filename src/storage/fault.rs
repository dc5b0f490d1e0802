//! What stands in the way of a call, and how long that may take to show.

use std::time::Duration;

use crate::error::Error;
use crate::storage::Blobs;

/// After how many seconds it is worth trying again.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Why a call failed.
pub(super) enum Fault {
    /// It took longer than this.
    Stalled(Duration),
    /// What the storage says.
    Store(object_store::Error),
}

impl Blobs {
    /// Runs one call; over a network, within `limit`. A disk that stalls has the whole server waiting, and a file
    /// that is written cannot be called back.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Fault> {
        if self.folder.is_some() {
            return call.await.map_err(Fault::Store);
        }
        match tokio::time::timeout(limit, call).await {
            Ok(outcome) => outcome.map_err(Fault::Store),
            Err(_) => Err(Fault::Stalled(limit)),
        }
    }

    /// What the caller is told. The cause of what may pass is in the log.
    pub(super) fn fault(&self, fault: Fault) -> Error {
        match fault {
            Fault::Stalled(limit) => {
                tracing::warn!(seconds = limit.as_secs(), "the storage does not answer in time");
            }
            // No connection, an answer that broke off, or one of "5xx".
            Fault::Store(error @ object_store::Error::Generic { .. }) if self.folder.is_none() => {
                tracing::warn!(error = error.to_string(), "the storage does not answer");
            }
            Fault::Store(error) => return Error::internal(error),
        }
        Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS }
    }
}
