//! Whoever tries an account's password from somewhere else cannot lock its owner out.

use cloakroom::config::Bucket;

use super::signed_in::{is_welcome, log_in, login, refresh, refreshed, stranger};
use crate::support::{Caller, PASSWORD, TestApp, link_token, test_mails};

const WRONG: &str = "wrong horse battery";
const HOME: &str = "203.0.113.7";

async fn start() -> TestApp {
    TestApp::with_config(|config| {
        config.limits.login_per_account = Bucket { burst: 3, per_hour: 60 };
        config.limits.login_from_known_address = Bucket { burst: 2, per_hour: 60 };
    })
    .await
}

/// Strangers try until nothing is left.
async fn attack(test: &TestApp, name: &str) {
    for at in 0..20 {
        login(&stranger(test, &format!("198.51.100.{at}")), name, WRONG).await;
    }
    assert!(is_limited(&stranger(test, "198.51.100.99"), name).await);
}

async fn is_limited(caller: &Caller, name: &str) -> bool {
    login(caller, name, PASSWORD).await.code() == "RATE_LIMITED"
}

#[tokio::test]
async fn a_strangers_failures_do_not_lock_the_owner_out_where_they_were_signed_in() {
    let test = start().await;
    test.sign_up("anna").await;
    let session = log_in(&stranger(&test, HOME), "anna").await;
    attack(&test, "anna").await;
    attack(&test, "anna@example.org").await;
    assert!(!is_limited(&stranger(&test, HOME), "anna").await);
    assert!(!is_limited(&stranger(&test, HOME), "anna@example.org").await);
    assert!(is_limited(&stranger(&test, HOME), "anna").await, "that has a limit too");
    assert!(is_welcome(&session.user).await);
    test.clock.advance(60);
    assert!(!is_limited(&stranger(&test, HOME), "anna").await);
}

#[tokio::test]
async fn a_known_address_is_that_of_an_ended_session_and_of_a_refresh_and_a_restart_too() {
    let mut test = start().await;
    test.sign_up("anna").await;
    let session = log_in(&stranger(&test, "2001:db8:1:2::1"), "anna").await;
    session.user.run("mutation { logout { endedSessions } }").await.data();
    let session = log_in(&stranger(&test, HOME), "anna").await;
    refreshed(&refresh(&stranger(&test, "203.0.113.8"), &session.refresh_token).await);
    test.restart().await;
    attack(&test, "anna").await;
    for (address, limited) in
        [("2001:db8:1:2:3:4:5:6", false), ("2001:db8:1:3::1", true), ("203.0.113.8", false), ("198.51.100.1", true)]
    {
        assert_eq!(is_limited(&stranger(&test, address), "anna").await, limited, "{address}");
    }
}

#[tokio::test]
async fn a_known_address_of_one_account_is_a_strangers_to_another() {
    let test = start().await;
    for name in ["anna", "bert"] {
        test.sign_up(name).await;
    }
    log_in(&stranger(&test, HOME), "bert").await;
    attack(&test, "anna").await;
    attack(&test, "nobody").await;
    assert!(is_limited(&stranger(&test, HOME), "anna").await);
    assert!(is_limited(&stranger(&test, HOME), "nobody").await, "as for somebody unknown");
    assert!(!is_limited(&stranger(&test, HOME), "bert").await);
}

#[tokio::test]
async fn a_failed_login_makes_no_address_known() {
    let test = start().await;
    test.sign_up("anna").await;
    login(&stranger(&test, "198.51.100.66"), "anna", WRONG).await;
    attack(&test, "anna").await;
    assert!(is_limited(&stranger(&test, "198.51.100.66"), "anna").await);
}

#[tokio::test]
async fn a_reset_by_mail_makes_its_network_a_known_one() {
    let test = start().await;
    test.sign_up("anna").await;
    attack(&test, "anna").await;
    let owner = stranger(&test, HOME);
    for at in 0..20 {
        login(&stranger(&test, &format!("192.0.2.{at}")), "anna", WRONG).await;
    }
    let ask = r#"mutation { requestPasswordReset(input: { email: "anna@example.org" }) { accepted } }"#;
    owner.run(ask).await.data();
    assert!(test.app.accounts.send_mails().await.is_ok());
    let mails = test_mails(test.data_dir());
    let mail = mails.iter().find(|mail| mail.subject == "Choose a new password").expect("a mail");
    let reset = format!(
        r#"mutation {{ resetPassword(input: {{ token: "{}", newPassword: "{PASSWORD}" }}) {{ userErrors {{ code }} }} }}"#,
        link_token(mail)
    );
    owner.run(&reset).await.data();
    assert!(is_limited(&stranger(&test, "198.51.100.98"), "anna").await);
    assert!(!is_limited(&owner, "anna").await, "where the password was reset");
}
