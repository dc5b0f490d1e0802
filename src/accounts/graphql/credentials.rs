//! Passwords and e-mail addresses in the schema, and the end of an account.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, SimpleObject};
use futures_util::TryFutureExt as _;

use crate::accounts::graphql::user::User;
use crate::accounts::graphql::{accounts, caller};
use crate::accounts::{self, ApiKeysAfter};
use crate::error::{Error, UserError};
use crate::payload::payload;
use crate::scalars::DateTime;

/// Whether access that was granted before a change of the password stays.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessAfterPasswordChange {
    /// It stays valid.
    Keep,
    /// It ends.
    End,
}

/// Input for `changePassword`.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// E-mail address or username: needed only when not signed in.
    identifier: Option<String>,
    /// The present password.
    #[graphql(secret)]
    current_password: String,
    /// 8 to 1,024 characters, not easy to guess.
    #[graphql(secret)]
    new_password: String,
    /// The user's other sessions after the change. The session of the request stays live.
    #[graphql(default_with = "AccessAfterPasswordChange::End")]
    sessions: AccessAfterPasswordChange,
    /// The user's API keys after the change. The email about the change lists those that stay valid.
    #[graphql(default_with = "AccessAfterPasswordChange::Keep")]
    api_keys: AccessAfterPasswordChange,
}

/// What `changePassword` did.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// Whose password it is. Null when there are user errors.
    user: Option<User>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// A new address.
#[derive(InputObject)]
pub struct ChangeEmailInput {
    /// An e-mail address, as for `signUp`.
    new_email: String,
    /// The caller's password.
    #[graphql(secret)]
    password: String,
}

/// What `changeEmail` did.
#[derive(SimpleObject)]
pub struct ChangeEmailPayload {
    /// The caller, still with the old address: the new one counts once its link is followed. Null when there are user errors.
    user: Option<User>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// What `sendVerificationEmail` did.
#[derive(SimpleObject)]
pub struct SendVerificationEmailPayload {
    /// Whether a mail is on its way: not if there is no address, or it is confirmed already.
    sent: bool,
}

/// Input for `verifyEmail`.
#[derive(InputObject)]
pub struct VerifyEmailInput {
    /// The token of the mail's link.
    #[graphql(secret)]
    token: String,
    /// The password of the account: needed unless the request has a session of it.
    #[graphql(secret)]
    password: Option<String>,
}

/// What `verifyEmail` did.
#[derive(SimpleObject)]
pub struct VerifyEmailPayload {
    /// The user whose address is confirmed now. Null when there are user errors.
    user: Option<User>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Who has forgotten a password.
#[derive(InputObject)]
pub struct RequestPasswordResetInput {
    /// The account's e-mail address.
    email: String,
}

/// The same answer whether the address is known or not.
#[derive(SimpleObject)]
pub struct RequestPasswordResetPayload {
    /// Always true: if the address has an account, a mail is on its way.
    accepted: bool,
}

/// A new password, and the proof that mails to the account's address are read.
#[derive(InputObject)]
pub struct ResetPasswordInput {
    /// The token of the mail's link.
    #[graphql(secret)]
    token: String,
    /// 8 to 1,024 characters, not easy to guess.
    #[graphql(secret)]
    new_password: String,
}

/// What `resetPassword` did.
#[derive(SimpleObject)]
pub struct ResetPasswordPayload {
    /// Whose password it is. Null when there are user errors.
    user: Option<User>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// The proof that it is the owner who leaves.
#[derive(InputObject)]
pub struct DeleteAccountInput {
    /// The caller's password.
    #[graphql(secret)]
    password: String,
}

/// What `deleteAccount` did.
#[derive(SimpleObject)]
pub struct DeleteAccountPayload {
    /// The id of the account that is gone. Null when there are user errors.
    deleted_user_id: Option<ID>,
    /// Until when `restoreAccount` can bring it back. Null when there are user errors.
    restorable_until: Option<DateTime>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Input for `restoreAccount`: exactly one of the two ways to prove that the account is yours.
#[derive(OneofObject)]
pub enum RestoreAccountInput {
    /// The link in the email about the deletion.
    Link(RestoreAccountByLinkInput),
    /// An identifier and the password.
    Credentials(RestoreAccountByCredentialsInput),
}

/// Input for `restoreAccount`, with the link in the email about the deletion.
#[derive(InputObject)]
pub struct RestoreAccountByLinkInput {
    /// The token of the link.
    #[graphql(secret)]
    token: String,
    /// The password. Required if the email address of the account is not confirmed.
    #[graphql(secret)]
    password: Option<String>,
}

/// Input for `restoreAccount`, with an identifier and the password.
#[derive(InputObject)]
pub struct RestoreAccountByCredentialsInput {
    /// Email address or username.
    identifier: String,
    /// The password.
    #[graphql(secret)]
    password: String,
}

/// Result of `restoreAccount`.
#[derive(SimpleObject)]
pub struct RestoreAccountPayload {
    /// The user whose account is back. Null when there are user errors.
    user: Option<User>,
    /// Validation errors; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations of passwords and addresses.
#[derive(Default)]
pub struct CredentialsMutation;

#[Object]
impl CredentialsMutation {
    /// Changes the password of the signed-in user, or of the named account with its present password. The user's other
    /// sessions end unless `sessions` keeps them; API keys stay valid unless `apiKeys` ends them. An email tells the
    /// owner, and lists the API keys that stay valid. User errors: WRONG_CREDENTIALS, REQUIRED,
    /// INVALID, TOO_SHORT, TOO_LONG, TOO_WEAK. FORBIDDEN for an API key, and as for `login`. RATE_LIMITED. UNAVAILABLE.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input for `changePassword`.")] input: ChangePasswordInput,
    ) -> Option<Result<ChangePasswordPayload, Error>> {
        let input = accounts::ChangePassword {
            identifier: input.identifier,
            current: input.current_password.into(),
            new: input.new_password.into(),
            keep_other_sessions: input.sessions == AccessAfterPasswordChange::Keep,
            api_keys: match input.api_keys {
                AccessAfterPasswordChange::Keep => ApiKeysAfter::Keep,
                AccessAfterPasswordChange::End => ApiKeysAfter::EndAll,
            },
        };
        let changed = accounts(ctx).change_password(caller(ctx), input);
        payload(changed, |user, user_errors| ChangePasswordPayload { user: user.map(User::proved), user_errors }).await
    }

    /// Sends a link to a new address; once it is followed, that is the caller's address, and the old one is told. It is
    /// not told here whether the new address has an account. User errors: WRONG_CREDENTIALS, REQUIRED, INVALID,
    /// TOO_LONG. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API key, RATE_LIMITED, UNAVAILABLE.
    async fn change_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A new address.")] input: ChangeEmailInput,
    ) -> Option<Result<ChangeEmailPayload, Error>> {
        let ChangeEmailInput { new_email, password } = input;
        let changed = accounts(ctx).change_email(caller(ctx), &new_email, password.into());
        payload(changed, |user, user_errors| ChangeEmailPayload { user: user.map(User::from), user_errors }).await
    }

    /// Sends the link that confirms the caller's address once more. UNAUTHENTICATED when nobody is signed in, FORBIDDEN
    /// for an API key, RATE_LIMITED.
    async fn send_verification_email(&self, ctx: &Context<'_>) -> Option<Result<SendVerificationEmailPayload, Error>> {
        let sent = Box::pin(accounts(ctx).send_verification_email(caller(ctx))).await;
        Some(sent.map(|sent| SendVerificationEmailPayload { sent }))
    }

    /// Confirms the address to which the token was sent, and makes it the user's alone: other accounts that gave it, or are
    /// deleted, lose it. The token proves the mailbox; a session of the account or its password proves the account. The token is
    /// good once; a missing or wrong password leaves it as it is. Without the password, `requestPasswordReset` leads on.
    /// User errors: INVALID, EXPIRED, REQUIRED, WRONG_CREDENTIALS, TOO_LONG, TAKEN when somebody else has confirmed the
    /// address by now. RATE_LIMITED. UNAVAILABLE.
    async fn verify_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input for `verifyEmail`.")] input: VerifyEmailInput,
    ) -> Option<Result<VerifyEmailPayload, Error>> {
        let VerifyEmailInput { token, password } = input;
        let verified = accounts(ctx).verify_email(caller(ctx), &token, password.map(Into::into));
        payload(verified, |user, user_errors| VerifyEmailPayload { user: user.map(User::proved), user_errors }).await
    }

    /// Sends a link to choose a new password, if the address has an account; whether it has is not told. Of several
    /// accounts that gave an address which nobody has confirmed, the newest gets the link.
    /// BAD_USER_INPUT for what is no address, RATE_LIMITED.
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who has forgotten a password.")] input: RequestPasswordResetInput,
    ) -> Option<Result<RequestPasswordResetPayload, Error>> {
        let requested = Box::pin(accounts(ctx).request_password_reset(caller(ctx), &input.email)).await;
        Some(requested.map(|()| RequestPasswordResetPayload { accepted: true }))
    }

    /// Sets a new password, and confirms the address to which the token was sent. The token is valid once. All access that
    /// was granted before ends: sessions, API keys and other links. An email tells the owner. User errors: INVALID, EXPIRED, REQUIRED, TOO_SHORT, TOO_LONG, TOO_WEAK,
    /// TAKEN when somebody else has confirmed the address by now. RATE_LIMITED. UNAVAILABLE.
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A new password, and the proof that one may set it.")] input: ResetPasswordInput,
    ) -> Option<Result<ResetPasswordPayload, Error>> {
        let ResetPasswordInput { token, new_password } = input;
        let reset = accounts(ctx).reset_password(caller(ctx), &token, new_password.into());
        payload(reset, |user, user_errors| ResetPasswordPayload { user: user.map(User::proved), user_errors }).await
    }

    /// Deletes the caller's account: they are gone at once, and what is theirs is removed after the server's time of
    /// grace, until which `restoreAccount` brings the account back. A mail says so. User errors: WRONG_CREDENTIALS, REQUIRED,
    /// TOO_LONG, CONFLICT for the last administrator. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API key,
    /// RATE_LIMITED, UNAVAILABLE.
    async fn delete_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The proof that it is the owner who leaves.")] input: DeleteAccountInput,
    ) -> Option<Result<DeleteAccountPayload, Error>> {
        let deleted = accounts(ctx).delete_account(caller(ctx), input.password.into());
        let build = |deleted: Option<accounts::Deleted>, user_errors| DeleteAccountPayload {
            deleted_user_id: deleted.map(|deleted| deleted.id.into()),
            restorable_until: deleted.map(|deleted| deleted.restorable_until.into()),
            user_errors,
        };
        payload(deleted, build).await
    }

    /// Brings back an account that its user has deleted, until it is removed. Nobody is signed in by it; sessions stay
    /// ended, API keys are good again. User errors: INVALID and EXPIRED for the token, REQUIRED, TOO_LONG, WRONG_CREDENTIALS,
    /// also for an account that is not deleted, was deleted by an operator or is removed by now. RATE_LIMITED. UNAVAILABLE.
    async fn restore_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input for `restoreAccount`.")] input: RestoreAccountInput,
    ) -> Option<Result<RestoreAccountPayload, Error>> {
        let (way, input) = match input {
            RestoreAccountInput::Link(RestoreAccountByLinkInput { token, password }) => {
                ("link", accounts::Restore::Link { token, password: password.map(Into::into) })
            }
            RestoreAccountInput::Credentials(RestoreAccountByCredentialsInput { identifier, password }) => {
                ("credentials", accounts::Restore::Credentials { identifier, password: password.into() })
            }
        };
        let restored = accounts(ctx).restore_account(caller(ctx), input).map_err(|error| error.within(way));
        payload(restored, |user, user_errors| RestoreAccountPayload { user: user.map(User::proved), user_errors }).await
    }
}
