//! `logout`: the end of a session, at once and for good.

use std::sync::Arc;

use crate::accounts::{Accounts, session};
use crate::caller::Caller;
use crate::error::Error;

impl Accounts {
    /// Ends the caller's session: both its tokens are refused from now on, also after a restart.
    /// Returns how many sessions have ended.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in.
    pub async fn logout(&self, caller: &Caller) -> Result<u64, Error> {
        let id = caller.session()?;
        let (database, verified, now) = (self.database.clone(), Arc::clone(&self.verified), self.clock.now());
        // To the end, also if the client goes away in between: what is committed must be marked as well.
        let task = tokio::spawn(async move {
            let ended = database
                .write(move |transaction| Box::pin(async move { session::end(transaction, id, now).await }))
                .await?;
            verified.end(id);
            Ok(ended)
        });
        task.await.map_err(Error::internal)?
    }
}
