//! From the `Authorization` header to a [`Caller`].
//!
//! A rejected credential does not end a request: only the fields that need a user fail. Clients add the header to every
//! request, and a client whose access token has expired must still be able to sign in or to refresh its tokens.

use axum::http::{HeaderMap, header};

use crate::caller::{Caller, Identity, Origin};
use crate::error::Error;
use crate::http::Server;

/// The caller of a request: a user, nobody, or [`Identity::Rejected`].
///
/// # Errors
/// A fault that keeps the credential from being checked, such as a database that does not answer.
pub(super) async fn authenticate(server: &Server, headers: &HeaderMap, origin: Origin) -> Result<Caller, Error> {
    let identity = match bearer(headers) {
        Ok(Some(token)) => server.app.accounts.authenticate(token).await,
        Ok(None) => Ok(Identity::Anonymous),
        Err(error) => Err(error),
    };
    let identity = match identity {
        Err(Error::InvalidToken) => Identity::Rejected,
        identity => identity?,
    };
    Ok(Caller { identity, origin, idempotency_key: None })
}

/// The token of a request that has one (RFC 6750, section 2.1).
///
/// # Errors
/// [`Error::InvalidToken`] for another scheme, a malformed header, or more than one.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let credentials = value.to_str().ok().filter(|_| values.next().is_none());
    credentials.and_then(token_of).map(Some).ok_or(Error::InvalidToken)
}

/// The token in the value of an `Authorization` header.
pub(super) fn token_of(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
