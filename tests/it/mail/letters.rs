//! What letters say, as their readers see it.

use cloakroom::mail::Letter;

use super::{confirm, mailer, now};
use crate::support::{ReceivedMail, SmtpServer, Tls, link_token};

async fn sent(letter: &Letter) -> ReceivedMail {
    let server = SmtpServer::start(Tls::None).await;
    mailer(&server).send("anna@example.org", letter, now()).await.expect("it is sent");
    server.mails(1).await.remove(0)
}

#[tokio::test]
async fn a_letter_is_the_same_in_text_and_in_html() {
    let mail = sent(&confirm()).await;
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("mail@cloakroom.example", "anna@example.org"));
    assert_eq!(mail.subject, "Confirm your e-mail address");
    assert!(mail.header("content-type").starts_with("multipart/alternative"), "{}", mail.raw);
    assert_eq!(link_token(&mail), "AbC-123_x");
    assert_eq!(
        mail.text,
        "Hello anna,\n\nPlease confirm that this e-mail address is yours.\n\nConfirm the address:\n\
         https://cloakroom.example/verify-email#token=AbC-123_x\n\nThe link is good for 24 hours. If you did not give \
         us this address, ignore this mail: without you nothing is confirmed.\n"
    );
    for paragraph in mail.text.lines().filter(|line| !line.is_empty() && !line.ends_with(':')) {
        assert!(mail.html.contains(paragraph), "{paragraph} in {}", mail.html);
    }
}

#[tokio::test]
async fn a_letter_loads_nothing_and_is_answered_by_nobody() {
    let mail = sent(&confirm()).await;
    for loading in ["<img", "<link", "<script", "<iframe", "url(", "src=", "@import"] {
        assert!(!mail.html.contains(loading), "{loading} in {}", mail.html);
    }
    assert_eq!(mail.html.matches("href=").count(), 1, "one link");
    assert_eq!(mail.header("auto-submitted"), "auto-generated");
    assert_eq!(mail.header("date"), "Fri, 20 Nov 2026 12:00:00 +0000");
    assert_eq!(mail.header("from"), "\"The Cloakroom\" <mail@cloakroom.example>");
    assert_eq!(mail.header("to"), "anna@example.org");
    let id = mail.header("message-id");
    assert!(id.starts_with('<') && id.ends_with("@cloakroom.example>"), "{id}");
    assert_ne!(sent(&confirm()).await.header("message-id"), id);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of letters")]
async fn every_letter_names_whose_account_it_is_about() {
    let name = "Łukasz-東京".to_owned();
    let username = Some(name.clone());
    let link = "https://cloakroom.example/reset-password#token=x".to_owned();
    let restore_page = "https://cloakroom.example/restore-account#token=x".to_owned();
    let reset_page = "https://cloakroom.example/reset-password".to_owned();
    for (letter, subject, says) in [
        (
            Letter::ChooseNewPassword { username: username.clone(), link, valid_seconds: 1800 },
            "Choose a new password",
            "good for 30 minutes, and once",
        ),
        (
            Letter::AlreadyRegistered { username: username.clone(), reset_page },
            "You already have an account",
            "https://cloakroom.example/reset-password\n",
        ),
        (
            Letter::AddressChanged { username: username.clone(), new_address: Some("benno@example.net".to_owned()) },
            "Your e-mail address was changed",
            "was changed to b…@example.net.",
        ),
        (
            Letter::PasswordChanged {
                username: username.clone(),
                when: now(),
                address: Some("203.0.113.7".to_owned()),
                api_keys: Vec::new(),
            },
            "Your password was changed",
            "was changed on 20 November 2026 at 12:00 UTC, from 203.0.113.7.",
        ),
        (
            Letter::PasswordChanged {
                username: username.clone(),
                when: now(),
                address: None,
                api_keys: vec!["crk_01234567 (cash desk)".to_owned(), "crk_89abcdef (<b>\r\n)".to_owned()],
            },
            "Your password was changed",
            "These API keys stay valid: crk_01234567 (cash desk), crk_89abcdef (<b>  ).",
        ),
        (
            Letter::ApiKeyCreated {
                username: username.clone(),
                when: now(),
                prefix: "crk_01234567".to_owned(),
                reset_page: "https://cloakroom.example/reset-password".to_owned(),
            },
            "A new API key for your account",
            "was created for your account on 20 November 2026 at 12:00 UTC. It begins with crk_01234567.",
        ),
        (
            Letter::SessionCopied { username: username.clone(), when: now() },
            "A session of yours was ended",
            "was ended on 20 November 2026 at 12:00 UTC.",
        ),
        (
            Letter::AccountDeleted { username: username.clone(), removed_after: now(), link: Some(restore_page) },
            "Your account was deleted",
            "https://cloakroom.example/restore-account#token=x\n",
        ),
        (
            Letter::AccountDeleted { username: username.clone(), removed_after: now(), link: None },
            "Your account was deleted",
            "is removed after 20 November 2026 at 12:00 UTC.",
        ),
        (
            Letter::AddressShared { username: username.clone() },
            "Two accounts have your e-mail address",
            "Sign in to this account, Łukasz-東京, with its username and your password.",
        ),
    ] {
        let mail = sent(&letter).await;
        assert_eq!(mail.subject, subject);
        assert!(mail.text.starts_with("Hello Łukasz-東京,\n\n") && mail.html.contains(&name), "{mail:?}");
        assert!(mail.text.contains(says), "{says} in {}", mail.text);
        assert!(!mail.raw.contains("benno"), "{}", mail.raw);
        assert!(mail.raw.is_ascii(), "any mail server takes it");
    }
}

/// To a stranger whose address somebody gave, a name could say anything, and a domain too.
#[tokio::test]
async fn a_recipient_who_has_not_confirmed_the_address_reads_nothing_that_another_chose() {
    let link = "https://cloakroom.example/reset-password#token=x".to_owned();
    let username = None;
    for letter in [
        Letter::ConfirmAddress { username: username.clone(), link: link.clone(), valid_seconds: 60 },
        Letter::ChooseNewPassword { username: username.clone(), link: link.clone(), valid_seconds: 60 },
        Letter::AddressChanged { username: username.clone(), new_address: None },
        Letter::AccountDeleted { username, removed_after: now(), link: Some(link) },
    ] {
        let mail = sent(&letter).await;
        assert!(mail.text.starts_with("Hello,\n\n"), "{}", mail.text);
    }
}

#[tokio::test]
async fn a_name_adds_no_header_and_no_html() {
    let username = "x\r\nBcc: eve@example.org\r\n\r\n.\r\n<script>alert(1)</script>".to_owned();
    let link = "https://cloakroom.example/\"><script>alert(1)</script>".to_owned();
    let mail = sent(&Letter::ConfirmAddress { username: Some(username), link, valid_seconds: 60 }).await;
    assert_eq!((mail.to.as_str(), mail.header("bcc").as_str()), ("anna@example.org", ""));
    assert!(mail.text.starts_with("Hello x  Bcc: eve@example.org    .  <script>"), "{}", mail.text);
    assert!(!mail.html.contains("<script"), "{}", mail.html);
}
