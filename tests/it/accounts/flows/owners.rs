//! Whose an address is: of those who gave it, the one who confirms it with the mail and the account.

use cloakroom::config::EmailVerification::{self, Flagged, Off, Required};
use serde_json::{Value, json};

use super::{
    NEW_PASSWORD, api_key_by, change_email, delivered, email_of, envelopes, events, is_signed_in, login, only_mail,
    request_reset, reset, reset_token, sign_up, signed_in, verified_at, verify_by, with_policy,
};
use crate::support::{Caller, PASSWORD, TestApp, alter, link_token};

const THEIRS: &str = "my own horse paperclip";

/// Somebody signed in who has given an address with a password of their own; and the link that it got.
async fn squatter(test: &TestApp, username: &str, email: &str) -> (Caller, String) {
    let reply = sign_up(test, json!({ "username": username, "email": email, "password": THEIRS })).await;
    let token = link_token(&only_mail(test).await);
    (test.bearer(reply.at("/data/signUp/tokens/accessToken").as_str()), token)
}

#[tokio::test]
async fn the_link_alone_confirms_nothing_and_stays_good() {
    for policy in [Flagged, Required] {
        let test = with_policy(policy).await;
        let (_, token) = squatter(&test, "eve", "victim@example.org").await;
        let anonymous = test.anonymous();
        let bare = verify_by(&anonymous, &token, None).await;
        assert_eq!(bare.user_errors("verifyEmail"), ["REQUIRED input.password"], "{policy:?}");
        for (password, expected) in [
            ("", "REQUIRED input.password"),
            (PASSWORD, "WRONG_CREDENTIALS input.password"),
            (&"x".repeat(1025), "TOO_LONG input.password"),
        ] {
            let wrong = verify_by(&anonymous, &token, Some(password)).await;
            assert_eq!(wrong.user_errors("verifyEmail"), [expected], "{policy:?}");
            assert_eq!(wrong.at("/data/verifyEmail/user"), &Value::Null);
        }
        let right = verify_by(&anonymous, &token, Some(THEIRS)).await;
        assert_eq!(right.user_errors("verifyEmail"), [""; 0], "{policy:?}");
    }
}

#[tokio::test]
async fn only_a_session_of_the_account_itself_takes_the_place_of_the_password() {
    let test = with_policy(Flagged).await;
    let (eve, token) = squatter(&test, "eve", "victim@example.org").await;
    let victim = test.sign_up("victoria").await;
    delivered(&test).await;
    let key = api_key_by(&test, &eve, THEIRS).await;
    for (other, whose) in [(&victim, "another session"), (&key, "a key of the account")] {
        let refused = verify_by(other, &token, None).await;
        assert_eq!(refused.user_errors("verifyEmail"), ["REQUIRED input.password"], "{whose}");
    }
    assert_eq!(verify_by(&eve, &token, None).await.user_errors("verifyEmail"), [""; 0]);
    assert!(is_signed_in(&eve).await && is_signed_in(&key).await, "nothing else ends");
}

/// Whoever reads the mails and did not create the account goes on by a reset, after which nobody has access as before.
#[tokio::test]
async fn who_did_not_create_the_account_takes_it_over_by_a_reset_which_confirms_the_address() {
    for policy in [Flagged, Required] {
        let test = with_policy(policy).await;
        let (eve, _) = squatter(&test, "eve", "victim@example.org").await;
        let token = reset_token(&test, "victim@example.org").await;
        let taken = reset(&test.anonymous(), &token, NEW_PASSWORD).await;
        assert_eq!(taken.user_errors("resetPassword"), [""; 0], "{policy:?}");
        assert!(policy == Required || !is_signed_in(&eve).await, "under `required` there never was a session");
        assert_eq!(login(&test, "eve", THEIRS).await.user_errors("login"), ["WRONG_CREDENTIALS"]);
        let owner = signed_in(&test, "victim@example.org", NEW_PASSWORD).await;
        assert_ne!(verified_at(&owner).await, Value::Null, "{policy:?}");
    }
}

#[tokio::test]
async fn several_accounts_may_have_an_address_that_nobody_has_confirmed() {
    for policy in [Flagged, Required] {
        let test = with_policy(policy).await;
        for username in ["one", "two", "three"] {
            let reply = sign_up(&test, json!({ "username": username, "email": "Shared@example.org" })).await;
            assert_eq!(reply.user_errors("signUp"), [""; 0], "{policy:?}: {username}");
            test.clock.advance(1);
        }
        delivered(&test).await;
        let token = reset_token(&test, "shared@example.org").await;
        let reply = reset(&test.anonymous(), &token, NEW_PASSWORD).await;
        assert_eq!(reply.at("/data/resetPassword/user/username"), "three", "{policy:?}: the newest");
    }
}

#[tokio::test]
async fn a_confirmed_address_is_taken_from_those_who_only_gave_it_and_they_keep_their_accounts() {
    let test = with_policy(Flagged).await;
    let (eve, of_eve) = squatter(&test, "eve", "owner@example.org").await;
    let owner = test.sign_up("owner").await;
    let of_owner = link_token(&only_mail(&test).await);
    let by_reset = reset_token(&test, "owner@example.org").await;
    assert_eq!(verify_by(&owner, &of_owner, None).await.user_errors("verifyEmail"), [""; 0]);

    assert_eq!((email_of(&eve).await, verified_at(&eve).await), (Value::Null, Value::Null));
    assert_eq!(events(&eve).await[0], "EMAIL_CHANGED");
    let event = eve.run("{ viewer { events(first: 1) { nodes { ipAddress userAgent } } } }").await;
    let nobody = json!({ "ipAddress": null, "userAgent": null });
    assert_eq!(event.data()["viewer"]["events"]["nodes"][0], nobody, "who confirmed it is not told");
    assert!(is_signed_in(&eve).await && is_signed_in(&signed_in(&test, "eve", THEIRS).await).await);
    let late = verify_by(&eve, &of_eve, None).await;
    assert_eq!(late.user_errors("verifyEmail"), ["TAKEN input.token"]);
    assert_eq!(
        eve.run("mutation { sendVerificationEmail { sent } }").await.data()["sendVerificationEmail"]["sent"],
        false
    );
    let again = sign_up(&test, json!({ "username": "again", "email": "OWNER@example.org" })).await;
    assert_eq!(again.user_errors("signUp"), ["TAKEN input.email"], "a confirmed address is its owner's");
    // The reset was asked for when the owner's was the newest account: it is as good as before.
    assert_eq!(reset(&test.anonymous(), &by_reset, NEW_PASSWORD).await.user_errors("resetPassword"), [""; 0]);
    let reply = login(&test, "owner@example.org", NEW_PASSWORD).await;
    assert_eq!(reply.at("/data/login/user/username"), "owner");
}

#[tokio::test]
async fn an_address_that_somebody_else_only_gave_can_be_changed_to() {
    let test = with_policy(Flagged).await;
    let (eve, _) = squatter(&test, "eve", "owner@example.net").await;
    let owner = test.sign_up("realowner").await;
    delivered(&test).await;
    change_email(&owner, "owner@example.net", PASSWORD).await.data();
    let mail = only_mail(&test).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("owner@example.net", "Confirm your e-mail address"));
    assert!(mail.text.starts_with("Hello,\n"), "no name that a stranger chose: {}", mail.text);
    verify_by(&owner, &link_token(&mail), None).await.data();
    assert_eq!((email_of(&owner).await, email_of(&eve).await), (json!("owner@example.net"), Value::Null));
    assert_eq!(envelopes(&test).await, ["realowner@example.org: Your e-mail address was changed"]);
    request_reset(&test, "owner@example.net").await.data();
    let mail = only_mail(&test).await;
    assert!(mail.text.starts_with("Hello realowner,\n"), "who has confirmed is greeted: {}", mail.text);
}

/// The old address was nobody's: it gets neither a name nor a domain that somebody else chose.
#[tokio::test]
async fn a_stranger_to_whose_address_an_account_claimed_to_belong_is_told_nothing_that_another_chose() {
    let test = with_policy(Flagged).await;
    let reply = sign_up(&test, json!({ "username": "claim-prize.evil.example", "email": "victim@example.org" })).await;
    let eve = test.bearer(reply.at("/data/signUp/tokens/accessToken").as_str());
    request_reset(&test, "victim@example.org").await.data();
    change_email(&eve, "me@claim-prize.evil.example", PASSWORD).await.data();
    let mut mails = delivered(&test).await;
    let link = mails.iter().find(|mail| mail.to == "me@claim-prize.evil.example").map(link_token).expect("a link");
    verify_by(&eve, &link, None).await.data();
    mails.extend(delivered(&test).await);
    let strangers: Vec<_> = mails.iter().filter(|mail| mail.to == "victim@example.org").collect();
    assert_eq!(strangers.len(), 3, "{mails:?}");
    assert!(strangers.iter().all(|mail| !(mail.text.clone() + &mail.html).contains("claim-prize")), "{strangers:?}");
}

#[tokio::test]
async fn where_nothing_is_confirmed_an_address_belongs_to_whoever_gives_it_first() {
    let test = with_policy(Off).await;
    let anna = test.sign_up("anna").await;
    let taken = sign_up(&test, json!({ "username": "berta", "email": "ANNA@example.org" })).await;
    assert_eq!(taken.user_errors("signUp"), ["TAKEN input.email"]);
    let berta = test.sign_up("berta").await;
    change_email(&berta, "anna@example.org", PASSWORD).await.data();
    assert_eq!(envelopes(&test).await, ["anna@example.org: You already have an account"]);
    assert_eq!(email_of(&anna).await, "anna@example.org");
}

/// The same database under another policy.
async fn under(test: &mut TestApp, policy: EmailVerification) {
    test.config.accounts.email_verification = policy;
    test.restart().await;
    assert!(test.app.accounts.sweep().await.is_ok());
}

#[tokio::test]
async fn a_policy_may_be_turned_off_and_the_confirmed_and_then_the_oldest_account_keeps_the_address() {
    let mut test = with_policy(Flagged).await;
    for username in ["first", "second"] {
        sign_up(&test, json!({ "username": username, "email": "shared@example.org" })).await.data();
    }
    let (_, link) = squatter_after(&test, "proved", "proved@example.org").await;
    verify_by(&test.anonymous(), &link, Some(PASSWORD)).await.data();
    under(&mut test, Off).await;
    for (email, owner) in [("shared@example.org", "first"), ("proved@example.org", "proved")] {
        assert_eq!(login(&test, email, PASSWORD).await.at("/data/login/user/username"), owner);
        let taken = sign_up(&test, json!({ "username": "late", "email": email })).await;
        assert_eq!(taken.user_errors("signUp"), ["TAKEN input.email"]);
    }
    signed_in(&test, "second", PASSWORD).await;
}

async fn squatter_after(test: &TestApp, username: &str, email: &str) -> (Caller, String) {
    delivered(test).await;
    let reply = sign_up(test, json!({ "username": username, "email": email })).await;
    let token = link_token(&only_mail(test).await);
    (test.bearer(reply.at("/data/signUp/tokens/accessToken").as_str()), token)
}

#[tokio::test]
async fn a_policy_may_be_turned_on_and_who_never_confirmed_signs_in_by_the_address_until_somebody_does() {
    let mut test = with_policy(Off).await;
    test.sign_up("anna").await;
    under(&mut test, Flagged).await;
    let other = sign_up(&test, json!({ "username": "other", "email": "anna@example.org" })).await;
    assert_eq!(other.user_errors("signUp"), [""; 0]);
    let link = link_token(&only_mail(&test).await);
    assert_eq!(login(&test, "anna@example.org", PASSWORD).await.at("/data/login/user/username"), "anna");
    verify_by(&test.anonymous(), &link, Some(PASSWORD)).await.data();
    assert_eq!(login(&test, "anna@example.org", PASSWORD).await.at("/data/login/user/username"), "other");
    assert_eq!(email_of(&signed_in(&test, "anna", PASSWORD).await).await, Value::Null);
}

/// A server of the version before confirms addresses and knows of no owners.
#[tokio::test]
async fn the_sweep_makes_those_who_have_confirmed_owners() {
    let test = with_policy(Flagged).await;
    let (_, link) = squatter_after(&test, "anna", "anna@example.org").await;
    verify_by(&test.anonymous(), &link, Some(PASSWORD)).await.data();
    alter(&test, "UPDATE users SET email_owner_key = NULL").await;
    assert!(test.app.accounts.sweep().await.is_ok());
    let taken = sign_up(&test, json!({ "username": "late", "email": "anna@example.org" })).await;
    assert_eq!(taken.user_errors("signUp"), ["TAKEN input.email"]);
}

#[tokio::test]
async fn very_many_who_gave_an_address_lose_it_too() {
    let test = with_policy(Flagged).await;
    for number in 0..250 {
        let input = json!({ "username": format!("claims{number}"), "email": "owner@example.org" });
        sign_up(&test, input).await.data();
    }
    alter(&test, "DELETE FROM mails").await;
    let (owner, link) = squatter_after(&test, "owner", "owner@example.org").await;
    verify_by(&owner, &link, None).await.data();
    assert_eq!(super::count(&test, "users WHERE email IS NOT NULL").await, 1);
}

/// Attempts to guess the password with a link are counted as those of a login are.
#[tokio::test]
async fn a_link_is_no_way_to_guess_passwords() {
    let test = TestApp::with_config(|config| {
        config.limits.login_per_account = cloakroom::config::Bucket { burst: 2, per_hour: 60 };
    })
    .await;
    let (_, token) = squatter(&test, "eve", "victim@example.org").await;
    let mut limited = Vec::new();
    for _ in 0..3 {
        limited.push(verify_by(&test.anonymous(), &token, Some(PASSWORD)).await.code() == "RATE_LIMITED");
    }
    assert_eq!(limited, [false, false, true]);
    test.clock.advance(60);
    assert_eq!(verify_by(&test.anonymous(), &token, Some(THEIRS)).await.user_errors("verifyEmail"), [""; 0]);
}
