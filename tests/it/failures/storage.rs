//! Failures of the storage of photos, and of the mail server.

use std::fs;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::site::{Site, eventually};
use crate::support::{Answers, PATIENCE, StubS3};

async fn with_photo() -> Site {
    let mut site = Site::new().await;
    site.serve(&[]).await;
    assert_eq!(site.upload().await.as_deref(), Some("OK"));
    site
}

pub(super) async fn folder_gone() -> Option<Site> {
    let site = with_photo().await;
    let photos = site.data_dir().join("photos");
    fs::rename(&photos, photos.with_extension("moved")).expect("it is moved");
    Some(site)
}

pub(super) async fn folder_replaced() -> Option<Site> {
    let site = folder_gone().await?;
    fs::create_dir(site.data_dir().join("photos")).expect("an empty mount point");
    Some(site)
}

fn settings(scheme: &str, s3: &StubS3) -> [(&'static str, String); 4] {
    [
        ("STORAGE__URL", "s3://pictures/of/tests".to_owned()),
        ("STORAGE__S3_ENDPOINT", format!("{scheme}://{}", s3.address)),
        ("STORAGE__S3_ACCESS_KEY_ID", "anna".to_owned()),
        ("STORAGE__S3_SECRET_ACCESS_KEY", "nobody asks".to_owned()),
    ]
}

/// A server whose storage fails so while it runs.
async fn answering(answers: Answers) -> Option<Site> {
    let (mut site, s3) = (Site::new().await, StubS3::start().await);
    site.serve(&settings("http", &s3)).await;
    assert_eq!(site.upload().await.as_deref(), Some("OK"));
    s3.answer(answers);
    site.keep(s3);
    Some(site)
}

/// A server whose storage has failed so from the start.
async fn starting(answers: Answers) -> Option<Site> {
    let (mut site, s3) = (Site::new().await, StubS3::start().await);
    s3.answer(answers);
    site.serve(&settings("http", &s3)).await;
    site.keep(s3);
    Some(site)
}

pub(super) async fn unreachable() -> Option<Site> {
    let (mut site, mut s3) = (Site::new().await, StubS3::start().await);
    site.serve(&settings("http", &s3)).await;
    assert_eq!(site.upload().await.as_deref(), Some("OK"));
    s3.stop().await;
    Some(site)
}

pub(super) async fn silent() -> Option<Site> {
    answering(Answers::Silence).await
}

pub(super) async fn overloaded() -> Option<Site> {
    answering(Answers::All(503, "SlowDown")).await
}

pub(super) async fn refused() -> Option<Site> {
    answering(Answers::All(403, "AccessDenied")).await
}

pub(super) async fn writes_refused() -> Option<Site> {
    answering(Answers::Writes(403, "AccessDenied")).await
}

pub(super) async fn bucket_gone() -> Option<Site> {
    answering(Answers::All(404, "NoSuchBucket")).await
}

pub(super) async fn refused_at_start() -> Option<Site> {
    starting(Answers::All(403, "AccessDenied")).await
}

pub(super) async fn writes_refused_at_start() -> Option<Site> {
    starting(Answers::Writes(403, "AccessDenied")).await
}

pub(super) async fn bucket_missing_at_start() -> Option<Site> {
    starting(Answers::All(404, "NoSuchBucket")).await
}

pub(super) async fn certificate() -> Option<Site> {
    let (mut site, s3) = (Site::new().await, StubS3::start_tls().await);
    site.serve(&settings("https", &s3)).await;
    site.keep(s3);
    Some(site)
}

/// A mail server that takes no mail, and says when it was asked.
async fn refusing_mail_server() -> (String, oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("smtp://{}", listener.local_addr().expect("an address"));
    let (refused, asked) = oneshot::channel();
    tokio::spawn(async move {
        let mut refused = Some(refused);
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.write_all(b"554 5.3.2 Closed\r\n").await);
            // Until the client has given up.
            drop(stream.read_to_end(&mut Vec::new()).await);
            if let Some(refused) = refused.take() {
                refused.send(()).ok();
            }
        }
    });
    (url, asked)
}

pub(super) async fn mail_unreachable() -> Option<Site> {
    let mut site = Site::new().await;
    let (url, asked) = refusing_mail_server().await;
    site.serve(&[("MAIL__SMTP_URL", url)]).await;
    let sign_up = format!(
        r#"mutation {{ signUp(input: {{ username: "bob", email: "bob@example.org", password: "{}" }})
           {{ userErrors {{ code }} }} }}"#,
        crate::support::PASSWORD
    );
    let answer = site.process().run(None, &sign_up).await.expect("an answer");
    assert!(answer["errors"].is_null(), "{answer}");
    tokio::time::timeout(PATIENCE, asked).await.expect("a mail is sent in time").expect("the mail server is there");
    // The outcome is logged before the mail is claimed again.
    eventually("a working server", async || site.next().await.as_deref() == Some("OK")).await;
    Some(site)
}
