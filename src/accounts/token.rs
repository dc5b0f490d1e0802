//! The tokens of a session, and how an access token is made and checked.
//!
//! Access tokens are JWTs after RFC 9068, checked as RFC 8725 asks: one algorithm, keys of ours only, every
//! claim required but `gen`, which tokens of an earlier version have not.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, Validation};
use sea_orm::ActiveValue::Set;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::accounts::refresh_token::RefreshToken;
use crate::accounts::signing_keys::unreadable;
use crate::accounts::{Accounts, session};
use crate::caller::Origin;
use crate::config;
use crate::error::Error;
use crate::id::{SessionId, UserId};

/// The `typ` of an access token: RFC 9068, section 2.1. No other kind of token of ours has it.
const TYPE: &str = "at+jwt";
/// Ours have about 600 bytes; whatever is longer is not looked at.
const MAX_TOKEN_BYTES: usize = 2048;

/// Tokens are good from a little before they were made: a replica whose clock is behind by as much takes them at
/// once. `iat` says when they were made.
const BACKDATED_SECONDS: u32 = 120;

/// For how long a token of a signing key may be good after another key has replaced it. The allowance is for servers
/// that see the new key late.
#[must_use]
pub fn key_lifetime_seconds(settings: &config::Accounts) -> u32 {
    settings.access_token_seconds.saturating_add(settings.token_leeway_seconds).saturating_add(BACKDATED_SECONDS)
}

/// What a client gets when a session opens.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// A JWT for the `Authorization` header.
    pub access: String,
    /// Opaque.
    pub refresh: String,
    /// How long the access token is good for.
    pub expires_in_seconds: u32,
    /// Until when it is.
    pub expires_at: DateTime<Utc>,
}

/// What an access token says, once it is known to be ours.
pub(super) struct Verified {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) token: Uuid,
    /// The generation of the pair that it belongs to; `None` for one that an earlier version made.
    pub(super) generation: Option<i32>,
    /// The expiry and the leeway: from this second on the token is refused.
    pub(super) refused_from: i64,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    #[serde(rename = "gen", default, skip_serializing_if = "Option::is_none")]
    generation: Option<i32>,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl Accounts {
    /// A session about to be stored, and the tokens to hand out once it is.
    pub(super) fn new_session(
        &self,
        user: UserId,
        name: Option<String>,
        origin: &Origin,
    ) -> Result<(session::ActiveModel, Tokens), Error> {
        let now = self.clock.now();
        let token = RefreshToken { session: SessionId::generate(), generation: 0 };
        let row = session::ActiveModel {
            id: Set(token.session),
            user_id: Set(user),
            generation: Set(token.generation),
            name: Set(name),
            created_at: Set(now),
            expires_at: Set(now + TimeDelta::seconds(self.settings.refresh_token_seconds.into())),
            refresh_ended_at: Set(None),
            ended_at: Set(None),
            ip_address: Set(origin.address.map(|address| address.to_string())),
            user_agent: Set(origin.user_agent.as_deref().map(str::to_owned)),
            last_used_at: Set(None),
            confirmed_generation: Set(None),
            mark_generation: Set(None),
            marked_at: Set(None),
            earlier_mark_generation: Set(None),
            earlier_marked_at: Set(None),
        };
        Ok((row, self.tokens(user, token)?))
    }

    /// The tokens of a session's generation.
    pub(super) fn tokens(&self, user: UserId, token: RefreshToken) -> Result<Tokens, Error> {
        let now = self.clock.now();
        let expires_at = now + TimeDelta::seconds(self.settings.access_token_seconds.into());
        let claims = Claims {
            iss: self.settings.token_issuer.clone(),
            aud: self.settings.token_audience.clone(),
            sub: user.to_string(),
            sid: token.session.to_string(),
            generation: Some(token.generation),
            jti: Uuid::now_v7(),
            iat: now.timestamp(),
            nbf: now.timestamp() - i64::from(BACKDATED_SECONDS),
            exp: expires_at.timestamp(),
        };
        let key = self.keys.newest().map_err(unreadable)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.kid.clone());
        let access = jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(Error::internal)?;
        let refresh = self.refresh_key.write(token);
        Ok(Tokens { access, refresh, expires_in_seconds: self.settings.access_token_seconds, expires_at })
    }

    /// Checks everything about an access token but whether its session is still live.
    pub(super) fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Verified, Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::InvalidToken);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Error::InvalidToken)?;
        // RFC 7515, section 4.1.11: an extension that must be understood, and is not, ends it.
        let well_formed = header.typ.as_deref() == Some(TYPE) && header.crit.is_none();
        let (true, Some(kid)) = (well_formed, header.kid) else { return Err(Error::InvalidToken) };
        let Some(key) = self.keys.find(&kid) else { return Err(Error::InvalidToken) };
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation())
            .map_err(|_| Error::InvalidToken)?
            .claims;

        let Claims { iat, nbf, exp, .. } = claims;
        // A key that leaked signs no token that lasts longer than ours. One that was made while
        // `accounts.access_token_seconds` was greater is refused as well: a bound that is lowered holds at once.
        let is_bounded = exp.saturating_sub(iat) <= i64::from(self.settings.access_token_seconds);
        let leeway = i64::from(self.settings.token_leeway_seconds);
        let refused_from = exp.saturating_add(leeway);
        let begins = nbf.max(iat.saturating_sub(i64::from(BACKDATED_SECONDS))).saturating_sub(leeway);
        let in_time = (begins..refused_from).contains(&now.timestamp());
        let (Some(user), Some(session)) = (UserId::parse(&claims.sub), SessionId::parse(&claims.sid)) else {
            return Err(Error::InvalidToken);
        };
        let verified = Verified { user, session, token: claims.jti, generation: claims.generation, refused_from };
        (in_time && is_bounded).then_some(verified).ok_or(Error::InvalidToken)
    }

    /// The times are checked above, against our own clock; their presence is required by [`Claims`].
    fn validation(&self) -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.settings.token_issuer]);
        validation.set_audience(&[&self.settings.token_audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation
    }
}
