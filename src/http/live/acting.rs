//! As whom a socket acts, from `connection_init` on, and for how long.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::accounts::Standing;
use crate::caller::Caller;
use crate::clock::rfc3339;
use crate::http::authorization::token_of;
use crate::http::callers::Place;
use crate::http::live::protocol::{Ending, Expiry};
use crate::http::memory_budget::Owner;
use crate::http::{Server, live};
use crate::id::SessionId;

/// In `connection_init`, as the header would be called, in whatever case.
const AUTHORIZATION: &str = "authorization";

/// As whom the socket acts, once `connection_init` has said so.
pub(super) struct Acting {
    pub(super) token: Option<String>,
    session: Option<SessionId>,
    pub(super) standing: Option<Standing>,
    pub(super) expires_at: Option<Instant>,
    pub(super) warn_at: Option<Instant>,
    /// To whom the socket's messages are charged.
    pub(super) owner: Owner,
    _place: Place,
}

impl Acting {
    /// As whoever this token belongs to; as nobody without one.
    pub(super) async fn begin(server: &Server, mut caller: Caller, token: Option<String>) -> Result<Self, Ending> {
        let mut standing = None;
        if let Some(token) = &token {
            let (identity, stood) = server.app.accounts.stand(token).await.map_err(Ending::of_error)?;
            (caller.identity, standing) = (identity, Some(stood));
        }
        let place = server.live.callers.enter(&caller).map_err(Ending::of_error)?;
        let (session, owner) = (caller.identity.session(), Owner::of_caller(&caller));
        let mut acting = Self { token, session, standing, expires_at: None, warn_at: None, owner, _place: place };
        acting.set_times(server);
        Ok(acting)
    }

    /// Goes on with the token that a `refreshTokens` over this socket has brought, if it is of the same session.
    pub(super) async fn renew(&mut self, server: &Server, token: String) -> Result<(), Ending> {
        let (identity, standing) = server.app.accounts.stand(&token).await.map_err(Ending::of_error)?;
        if self.session.is_some() && self.session == identity.session() {
            (self.token, self.standing) = (Some(token), Some(standing));
            self.set_times(server);
        }
        Ok(())
    }

    fn set_times(&mut self, server: &Server) {
        let now = server.app.clock.now();
        let expires_at = self.standing.as_ref().and_then(|standing| standing.expires_at);
        self.expires_at = expires_at.map(|expires_at| live::instant_of(expires_at, now));
        let warned_before = Duration::from_secs(server.live.settings.warn_seconds.into());
        self.warn_at = self.expires_at.and_then(|at| {
            // Half of its life at most: a client that refreshes when it is warned would never stop.
            at.checked_sub(warned_before.min(at.saturating_duration_since(Instant::now()) / 2))
        });
    }

    /// When the token expires, for the client.
    pub(super) fn expiry(&self, warning: Option<&'static str>) -> Option<Expiry> {
        let expires_at = self.standing.as_ref()?.expires_at?;
        Some(Expiry { expires_at: rfc3339(expires_at), warning })
    }
}

/// The token in `connection_init`, in the form of the header.
pub(super) fn token_in(payload: Map<String, Value>) -> Result<Option<String>, Ending> {
    let credentials = payload.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION));
    match credentials {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, Value::String(text))) => Ok(Some(token_of(&text).ok_or(Ending::FORBIDDEN)?.to_owned())),
        Some(_) => Err(Ending::FORBIDDEN),
    }
}
