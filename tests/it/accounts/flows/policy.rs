//! Where confirmation is required: nobody is in before it, and nobody learns who has an account.

use cloakroom::config::EmailVerification::Required;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    NEW_PASSWORD, account, count, delivered, envelopes, events, login, only_mail, sign_up, signed_in, verified_at,
    verify, with_policy,
};
use crate::support::{PASSWORD, Reply, Statements, TestApp, link_token};

/// Somebody who has signed up and confirmed.
async fn confirmed(test: &TestApp, username: &str) {
    sign_up(test, json!({ "username": username, "email": format!("{username}@example.org") })).await.data();
    verify(&test.anonymous(), &link_token(&only_mail(test).await)).await.data();
}

#[tokio::test]
async fn nobody_is_in_before_their_address_is_confirmed() {
    let test = with_policy(Required).await;
    let reply = sign_up(&test, json!({ "username": "anna", "email": "Anna@example.org" })).await;
    assert_eq!(reply.data()["signUp"], json!({ "user": null, "tokens": null, "userErrors": [] }));
    assert_eq!(count(&test, "sessions").await, 0);
    let refused = login(&test, "anna", PASSWORD).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    assert!(refused.at("/errors/0/message").as_str().is_some_and(|text| text.contains("Confirm your e-mail")));
    let wrong = login(&test, "anna", "wrong horse battery").await;
    assert_eq!(wrong.user_errors("login"), ["WRONG_CREDENTIALS"]);
    let change = json!({ "identifier": "anna", "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    assert_eq!(super::change_password(&test.anonymous(), change).await.code(), "FORBIDDEN");

    // One of the sign-up, one of the login with the right password.
    let mails = delivered(&test).await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    let reply = verify(&test.anonymous(), &link_token(&mails[0])).await;
    assert_eq!(reply.data()["verifyEmail"]["user"], json!({ "username": "anna", "email": "Anna@example.org" }));
    for identifier in ["anna", "anna@example.org"] {
        let anna = signed_in(&test, identifier, PASSWORD).await;
        assert_ne!(verified_at(&anna).await, Value::Null);
        assert_eq!(anna.run("{ current }").await.data()["current"], 0, "with a counter of her own");
    }
    let anna = signed_in(&test, "anna", PASSWORD).await;
    let first: Vec<String> = events(&anna).await.into_iter().rev().take(3).collect();
    assert_eq!(first, ["SIGNED_UP", "VERIFICATION_REQUESTED", "EMAIL_VERIFIED"]);
    assert_eq!(envelopes(&test).await, [""; 0], "an address that is not changed is not told so");
}

#[tokio::test]
async fn an_address_is_needed() {
    let test = with_policy(Required).await;
    let reply = sign_up(&test, json!({ "username": "anna" })).await;
    assert_eq!(reply.user_errors("signUp"), ["REQUIRED input.email"]);
    assert_eq!(test.rows().await.users, 0);
}

#[tokio::test]
async fn a_known_address_is_answered_like_an_unknown_one_with_as_much_work() {
    let test = with_policy(Required).await;
    confirmed(&test, "anna").await;
    let mut seen = Vec::new();
    for (username, email) in [
        ("one", "unknown@example.org"),
        ("two", "anna@example.org"),
        ("three", "ANNA@example.org"),
        ("four", "unknown@example.org"),
    ] {
        let counted = Statements::count();
        let reply = sign_up(&test, json!({ "username": username, "email": email })).await;
        seen.push((reply.status, reply.body, counted.so_far()));
    }
    assert!(seen[0].2 > 3, "the statements are counted: {seen:?}");
    assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:?}");
    assert_eq!(
        envelopes(&test).await,
        [
            "anna@example.org: You already have an account",
            "anna@example.org: You already have an account",
            "unknown@example.org: Confirm your e-mail address",
            "unknown@example.org: Confirm your e-mail address",
        ]
    );
    signed_in(&test, "anna@example.org", PASSWORD).await;
}

/// Whoever signs up with an address and a password of their own could otherwise ask `login` whether they have it.
#[tokio::test]
async fn nothing_that_can_be_done_after_a_sign_up_tells_a_known_address_from_an_unknown_one() {
    let test = with_policy(Required).await;
    confirmed(&test, "anna").await;
    let mut seen = Vec::new();
    for (username, email) in [("known", "anna@example.org"), ("unknown", "nobody@example.org")] {
        let mine = "my own horse paperclip";
        let input = json!({ "username": username, "email": email, "password": mine });
        let mut replies: Vec<Reply> = vec![sign_up(&test, input.clone()).await];
        replies.push(login(&test, username, mine).await);
        replies.push(login(&test, email, mine).await);
        replies.push(login(&test, username, PASSWORD).await);
        replies.push(sign_up(&test, input).await);
        replies.push(sign_up(&test, json!({ "username": username, "email": "third@example.org" })).await);
        replies.push(super::request_reset(&test, email).await);
        let change = json!({ "identifier": email, "currentPassword": mine, "newPassword": NEW_PASSWORD });
        replies.push(super::change_password(&test.anonymous(), change).await);
        let codes: Vec<String> = replies.iter().map(|reply| format!("{} {}", reply.status, reply.body)).collect();
        seen.push(codes);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0][1].contains("FORBIDDEN") && seen[0][2].contains("FORBIDDEN"), "{seen:?}");
    assert!(!seen[0][4].contains("TAKEN") && seen[0][5].contains("TAKEN"), "hers, not a stranger's: {seen:?}");
}

#[tokio::test]
async fn who_does_not_confirm_is_seen_by_nobody_and_gone_after_a_while() {
    let test = with_policy(Required).await;
    confirmed(&test, "anna").await;
    let anna = signed_in(&test, "anna", PASSWORD).await;
    for (username, email) in [("fresh", "fresh@example.org"), ("decoy", "anna@example.org")] {
        sign_up(&test, json!({ "username": username, "email": email })).await.data();
    }
    let link = delivered(&test).await;
    let link = link.iter().find(|mail| mail.to == "fresh@example.org").map(link_token).expect("the link");
    let reply = anna.run(r#"{ users { totalCount nodes { username } } a: user(username: "fresh") { id } b: user(username: "decoy") { id } }"#).await;
    assert_eq!(
        *reply.data(),
        json!({ "users": { "totalCount": 1, "nodes": [{ "username": "anna" }] }, "a": null, "b": null })
    );
    for (seconds, taken) in [(7 * 86_400, true), (1, false)] {
        test.clock.advance(seconds);
        assert!(test.app.accounts.sweep().await.is_ok());
        for username in ["fresh", "decoy"] {
            assert_eq!(account(&test, username).await.is_some(), taken, "{username}");
        }
    }
    let late = verify(&test.anonymous(), &link).await;
    assert_eq!(late.user_errors("verifyEmail"), ["INVALID input.token"]);
    assert!(account(&test, "anna").await.is_some());
    let again = sign_up(&test, json!({ "username": "fresh", "email": "fresh@example.org" })).await;
    assert_eq!(again.user_errors("signUp"), [""; 0], "the name is free again");
}

/// An address that nobody confirmed is nobody's: a stranger's sign-up takes nothing from its owner.
#[tokio::test]
async fn of_those_who_sign_up_with_one_address_its_reader_chooses() {
    let test = with_policy(Required).await;
    let mut links = Vec::new();
    for username in ["stranger", "owner"] {
        sign_up(&test, json!({ "username": username, "email": "owner@example.org" })).await.data();
        links.push(link_token(&only_mail(&test).await));
    }
    verify(&test.anonymous(), &links[1]).await.data();
    signed_in(&test, "owner@example.org", PASSWORD).await;
    let late = verify(&test.anonymous(), &links[0]).await;
    assert_eq!(late.user_errors("verifyEmail"), ["TAKEN input.token"]);
    assert_eq!(login(&test, "stranger", PASSWORD).await.code(), "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_20_simultaneous_sign_ups_with_one_address_all_are_answered_alike_and_one_gets_it() {
    let test = with_policy(Required).await;
    let attempts = (0..20).map(|number| {
        let (caller, email) = (test.anonymous(), if number % 2 == 0 { "race@example.org" } else { "RACE@example.org" });
        let input = json!({ "email": email, "username": format!("racer{number}"), "password": PASSWORD });
        let query = "mutation ($input: SignUpInput!) { signUp(input: $input) { user { id } tokens { accessToken } userErrors { code } } }";
        tokio::spawn(async move { caller.run_with(query, json!({ "input": input })).await })
    });
    for reply in join_all(attempts).await {
        let reply = reply.expect("a reply");
        assert_eq!(reply.body, json!({ "data": { "signUp": { "user": null, "tokens": null, "userErrors": [] } } }));
    }
    let tokens: Vec<String> = delivered(&test).await.iter().map(link_token).collect();
    assert_eq!(tokens.len(), 20);
    let attempts = tokens.into_iter().map(|token| {
        let caller = test.anonymous();
        tokio::spawn(async move { verify(&caller, &token).await })
    });
    let outcomes: Vec<Vec<String>> =
        join_all(attempts).await.into_iter().map(|reply| reply.expect("a reply").user_errors("verifyEmail")).collect();
    assert_eq!(outcomes.iter().filter(|errors| errors.is_empty()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().flatten().all(|error| error == "TAKEN input.token"), "{outcomes:?}");
}
