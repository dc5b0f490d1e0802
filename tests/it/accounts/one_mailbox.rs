//! One mailbox is one address, however it is spelled: for sign-up, login, limits and the mail itself.

use cloakroom::config::{Bucket, EmailVerification};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, test_mails};

const SIGN_UP: &str = "mutation ($input: SignUpInput!) { signUp(input: $input) {
    user { username email } userErrors { code field message } } }";

/// Addresses, how they are shown, to whom their mail goes, and other spellings of each.
const MAILBOXES: [(&str, &str, &str, &[&str]); 5] = [
    (
        "Anna@Example.org",
        "Anna@Example.org",
        "Anna@example.org",
        &["anna@example.org", " ANNA@EXAMPLE.ORG\t", "\"anna\"@example.org", "anna@example.org.", "ａnna@example。org"],
    ),
    (
        "ann@Müller.example",
        "ann@müller.example",
        "ann@xn--mller-kva.example",
        &["ann@xn--mller-kva.example", "ANN@MÜLLER.EXAMPLE", "ann@mu\u{308}ller.example", "ann@XN--MLLER-KVA.example."],
    ),
    ("\"q.x\"@example.org", "q.x@example.org", "q.x@example.org", &["q.x@example.org", "\"Q\\.x\"@example.org"]),
    (
        "\u{3000}benno+1@example.net ",
        "benno+1@example.net",
        "benno+1@example.net",
        &["benno+1@example.net", "Benno+1@example.net"],
    ),
    (
        "a@xn--mnchen-3ya.example",
        "a@xn--mnchen-3ya.example",
        "a@xn--mnchen-3ya.example",
        &["a@münchen.example", "A@MÜNCHEN.example"],
    ),
];

/// What no mail can be sent to, or nobody could tell from another address.
const REFUSED: [&str; 30] = [
    "mark@exam\u{1160}ple.org",
    "mark@exam\u{115f}ple.org",
    "mark@exam\u{3164}ple.org",
    "mark@exam\u{ffa0}ple.org",
    "mark@exam\u{ad}ple.org",
    "mark@exam\u{200d}ple.org",
    "ma\u{200b}rk@example.org",
    "mark\u{fe0f}@example.org",
    "mark\u{202e}@example.org",
    "\u{2066}mark@example.org",
    "mark\u{e0061}@example.org",
    "b@exam`ple.org",
    "m@123.456",
    "m@exam_ple.org",
    "m@example.c",
    "m@example",
    "m@-example.org",
    "m@example-.org",
    "m@exa mple.org",
    "m@.example.org",
    "m@example..org",
    "m@[127.0.0.1]",
    "m@127.0.0.1",
    "m@xn--a.example",
    "m m@example.org",
    "\"m m\"@example.org",
    "\"a\\\"b<i>\"@example.org",
    ".m@example.org",
    "m..m@example.org",
    "m\u{7f}@example.org",
];

async fn sign_up(test: &TestApp, email: &str) -> Reply {
    test.anonymous().run_with(SIGN_UP, json!({ "input": { "email": email, "password": PASSWORD } })).await
}

async fn login(test: &TestApp, identifier: &str) -> Value {
    let query = "mutation ($input: LoginInput!) { login(input: $input) { user { email } userErrors { code } } }";
    let input = json!({ "input": { "identifier": identifier, "password": PASSWORD } });
    test.anonymous().run_with(query, input).await.data()["login"]["user"]["email"].clone()
}

#[tokio::test]
async fn one_mailbox_is_one_account_in_every_spelling() {
    let test = TestApp::with_config(|config| config.accounts.email_verification = EmailVerification::Off).await;
    for (typed, shown, _, spellings) in MAILBOXES {
        let reply = sign_up(&test, typed).await;
        assert_eq!(reply.at("/data/signUp/user/email"), shown, "{typed}: {}", reply.body);
        assert_eq!(login(&test, typed).await, shown, "{typed}");
        assert_eq!(login(&test, shown).await, shown, "{typed}");
        for spelling in spellings {
            assert_eq!(sign_up(&test, spelling).await.user_errors("signUp"), ["TAKEN input.email"], "{spelling}");
            assert_eq!(login(&test, spelling).await, shown, "{spelling}");
            let change =
                "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { userErrors { code } } }";
            let input = json!({ "identifier": spelling, "currentPassword": PASSWORD, "newPassword": PASSWORD });
            let reply = test.anonymous().run_with(change, json!({ "input": input })).await;
            assert_eq!(
                reply.at("/data/changePassword/userErrors/0/code"),
                "INVALID",
                "found, and the same: {spelling}"
            );
        }
    }
}

#[tokio::test]
async fn mail_goes_to_the_mailbox_that_is_unique() {
    let test = TestApp::start().await;
    for (typed, ..) in MAILBOXES {
        sign_up(&test, typed).await.data();
    }
    assert!(test.app.accounts.send_mails().await.is_ok());
    let mut recipients: Vec<String> = test_mails(test.data_dir()).into_iter().map(|mail| mail.to).collect();
    recipients.sort();
    let mut expected = MAILBOXES.map(|(_, _, mailbox, _)| mailbox);
    expected.sort_unstable();
    assert_eq!(recipients, expected);
}

#[tokio::test]
async fn what_no_mail_can_be_sent_to_is_refused_wherever_an_address_is_given() {
    let (test, anna) = TestApp::with_user().await;
    let before = test.rows().await;
    for email in REFUSED {
        assert_eq!(sign_up(&test, email).await.user_errors("signUp"), ["INVALID input.email"], "{email:?}");
        let change =
            "mutation ($input: ChangeEmailInput!) { changeEmail(input: $input) { userErrors { code field } } }";
        let reply = anna.run_with(change, json!({ "input": { "newEmail": email, "password": PASSWORD } })).await;
        assert_eq!(reply.user_errors("changeEmail"), ["INVALID input.newEmail"], "{email:?}");
        let reset = "mutation ($e: String!) { requestPasswordReset(input: { email: $e }) { accepted } }";
        let reply = test.anonymous().run_with(reset, json!({ "e": email })).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT", "{email:?}");
        assert_eq!(login(&test, email).await, Value::Null, "{email:?}");
    }
    assert_eq!(test.rows().await, before);
}

#[tokio::test]
async fn all_spellings_of_a_mailbox_share_one_limit_of_mails() {
    let test = TestApp::with_config(|config| {
        config.limits.mail_per_account = Bucket { burst: 3, per_hour: 1 };
    })
    .await;
    let reset = "mutation ($e: String!) { requestPasswordReset(input: { email: $e }) { accepted } }";
    let spellings = ["ann@müller.example", " ann@xn--mller-kva.example", "\"ANN\"@Müller.example."];
    for email in spellings {
        test.anonymous().run_with(reset, json!({ "e": email })).await.data();
    }
    for email in spellings {
        assert_eq!(test.anonymous().run_with(reset, json!({ "e": email })).await.code(), "RATE_LIMITED", "{email}");
    }
}

#[tokio::test]
async fn a_reset_reaches_the_account_in_every_spelling() {
    let test = TestApp::start().await;
    sign_up(&test, "ann@müller.example").await.data();
    assert!(test.app.accounts.send_mails().await.is_ok());
    let mails =
        || test_mails(test.data_dir()).into_iter().filter(|mail| mail.subject == "Choose a new password").count();
    let reset = "mutation ($e: String!) { requestPasswordReset(input: { email: $e }) { accepted } }";
    for (number, email) in [" ann@MÜLLER.example", "\"ann\"@xn--mller-kva.example"].into_iter().enumerate() {
        test.anonymous().run_with(reset, json!({ "e": email })).await.data();
        assert!(test.app.accounts.send_mails().await.is_ok());
        assert_eq!(mails(), number + 1, "{email}");
    }
}
