//! `endSession`: one of the caller's own sessions, from any other.

use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::Ended;
use crate::accounts::{Accounts, session, user};
use crate::caller::Caller;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::SessionId;

impl Accounts {
    /// Ends a session of the caller's, at once, and returns it as it was.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key; [`Error::Invalid`] with `NOT_FOUND`.
    pub async fn end_session(&self, caller: &Caller, id: Option<SessionId>) -> Result<session::Model, Error> {
        let (owner, now) = (caller.in_person()?, self.clock.now());
        let id = id.ok_or_else(unknown)?;
        let event = self.event(caller, owner, Kind::SessionEnded);
        let ended = self.write_and_end(move |transaction| {
            let event = event.clone();
            Box::pin(async move {
                user::lock(transaction, owner).await?;
                let session = session::find_live(transaction, id, now).await?;
                let session = session.filter(|session| session.user_id == owner).ok_or_else(unknown)?;
                // Of two who end it at once, one finds it ended.
                if session::end(transaction, &[id], now).await? == 0 {
                    return Err(unknown());
                }
                let event = match &session.name {
                    Some(name) => event.about(name),
                    None => event,
                };
                account_event::add(transaction, event).await?;
                Ok((session, Ended::sessions(&[id])))
            })
        });
        Ok(self.with_latest_use(ended.await?))
    }
}

fn unknown() -> Error {
    UserError::of("sessionId", UserErrorCode::NotFound, "You have no such session.").into()
}
