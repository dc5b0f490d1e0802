//! New passwords are hard to guess, also for who knows whose they are (P1, P2).

use serde_json::{Value, json};

use crate::support::{PASSWORD, Rows, TestApp};

async fn sign_up(test: &TestApp, input: Value) -> crate::support::Reply {
    let mutation = "mutation ($input: SignUpInput!) {
        signUp(input: $input) { user { id } userErrors { code field message } } }";
    test.anonymous().run_with(mutation, json!({ "input": input })).await
}

#[tokio::test]
async fn a_password_that_is_easy_to_guess_is_refused_with_the_reason() {
    let test = TestApp::start().await;
    for (password, reason) in [
        ("password", "Too easy to guess: This is a top-10 common password. Add another word or two."),
        ("12345678", "Too easy to guess: This is a top-10 common password."),
        ("P@$$w0rd!", "Predictable substitutions like '@' instead of 'a' don't help very much."),
        ("qwertyuiop", "Too easy to guess: "),
        ("20.11.1987", "Dates are often easy to guess."),
        ("abcabcabcabc", "Avoid repeated words and characters."),
        ("cloakroom1", "It contains the name of this service."),
        (&"a".repeat(1024), "Repeats like \"aaa\" are easy to guess."),
        ("ＰＡＳＳＷＯＲＤ", "This is a top-10 common password."),
    ] {
        let reply = sign_up(&test, json!({ "username": "somebody", "password": password })).await;
        assert_eq!(reply.user_errors("signUp"), ["TOO_WEAK input.password"], "{password}");
        let message = reply.at("/data/signUp/userErrors/0/message").as_str().unwrap_or_default();
        assert!(message.contains(reason), "{password}: {message}");
    }
    assert_eq!(test.rows().await, Rows::default());
}

#[tokio::test]
async fn what_is_known_of_a_person_makes_their_password_no_better() {
    let test = TestApp::start().await;
    for (index, (password, person)) in [
        ("xuvorelian", json!({ "email": "xuvorelian@example.org" })),
        ("Xuvorelian7", json!({ "email": "a.xuvorelian@example.org" })),
        ("xuvorelian@example.org", json!({ "email": "xuvorelian@example.org" })),
        ("zarquomel-de", json!({ "email": "me@zarquomel.de" })),
        ("xuv0relian!", json!({ "username": "xuvorelian" })),
        ("nailerovux", json!({ "username": "Xuvorelian" })),
        ("Brimthwackle1", json!({ "displayName": "Xuvorelian Brimthwackle" })),
        ("xuvorelianbrimthwackle", json!({ "displayName": "Xuvorelian Brimthwackle" })),
    ]
    .into_iter()
    .enumerate()
    {
        let mut input = person;
        input["password"] = json!(password);
        if input.get("username").is_none() {
            input["username"] = json!(format!("user{index}"));
        }
        let reply = sign_up(&test, input.clone()).await;
        assert_eq!(reply.user_errors("signUp"), ["TOO_WEAK input.password"], "{input}");
        let message = reply.at("/data/signUp/userErrors/0/message").as_str().unwrap_or_default();
        assert!(message.contains("It contains your name, username or e-mail address."), "{message}");
        let stranger = json!({ "username": format!("stranger{index}"), "password": password });
        assert_eq!(sign_up(&test, stranger).await.user_errors("signUp"), [""; 0], "{password} of somebody else");
    }
}

#[tokio::test]
async fn long_and_odd_passwords_are_weighed_like_others() {
    let test = TestApp::start().await;
    let symbols = "@({[<!|$+%4081765392".repeat(51);
    for (index, password) in [
        symbols.as_str(),
        &format!("{PASSWORD}{}", "x".repeat(1003)),
        "İıßŉǰΐᾈﬀﬃẞſKÅ",
        "株式会社クロークルーム",
        "🦊🐻🐼🦁🐯🐨🐸🐙🦉🐢",
    ]
    .into_iter()
    .enumerate()
    {
        let reply = sign_up(&test, json!({ "username": format!("user{index}"), "password": password })).await;
        assert_eq!(reply.user_errors("signUp"), [""; 0], "{password}: {}", reply.body);
    }
}

#[tokio::test]
async fn the_strength_that_is_asked_for_can_be_set() {
    for (strength, weak, good) in [(4, "zarquomel7", PASSWORD), (1, "password", "zarquomel7")] {
        let test = TestApp::with_config(|config| config.accounts.password_strength = strength).await;
        let reply = sign_up(&test, json!({ "username": "weak", "password": weak })).await;
        assert_eq!(reply.user_errors("signUp"), ["TOO_WEAK input.password"], "{weak}");
        let message = reply.at("/data/signUp/userErrors/0/message").as_str().unwrap_or_default();
        assert!(message.contains("Add another word or two. Uncommon words are better."), "{message}");
        let reply = sign_up(&test, json!({ "username": "good", "password": good })).await;
        assert_eq!(reply.user_errors("signUp"), [""; 0], "{good}");
    }
    let test = TestApp::with_config(|config| config.accounts.password_strength = 0).await;
    let reply = sign_up(&test, json!({ "username": "anna", "password": "password" })).await;
    assert_eq!(reply.user_errors("signUp"), [""; 0]);
}
