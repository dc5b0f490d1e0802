//! The identity of a storage in S3.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::support::{PATIENCE, S3Server};

/// A way to an S3 server that can be closed: then every connection ends at once.
struct Gate {
    address: String,
    is_open: Arc<AtomicBool>,
}

impl Gate {
    async fn before(server: &S3Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let is_open = Arc::new(AtomicBool::new(false));
        let (open, server) = (Arc::clone(&is_open), server.address.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if open.load(Ordering::SeqCst)
                    && let Ok(mut server) = TcpStream::connect(&server).await
                {
                    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
                }
            }
        });
        Self { address, is_open }
    }
}

fn in_bucket(command: &mut Command, address: &str, prefix: &str) {
    let (url, endpoint) = (format!("s3://pictures/{prefix}"), format!("http://{address}"));
    let settings = [("URL", url.as_str()), ("S3_ENDPOINT", &endpoint)];
    for (name, value) in settings.into_iter().chain([("S3_ACCESS_KEY_ID", "key"), ("S3_SECRET_ACCESS_KEY", "secret")]) {
        command.env(format!("CLOAKROOM__STORAGE__{name}"), value);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_served_while_s3_does_not_answer_and_photos_once_it_does() {
    let (place, s3) = (Place::create().await, S3Server::moto().await);
    place.run(&["keys", "list"]).output();
    let gate = Gate::before(&s3).await;
    let mut server =
        tokio::task::block_in_place(|| another(&place, "data", |command| in_bucket(command, &gate.address, "a")));
    let token = server.sign_up("anna").await;
    assert_eq!(next(&server, &token).await, 1);
    assert_eq!(code(&try_upload(&server, &token, 1).await), "UNAVAILABLE");
    gate.is_open.store(true, Ordering::SeqCst);
    let uploaded = async {
        while try_upload(&server, &token, 1).await["data"]["uploadPhotos"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, uploaded).await.expect("it is verified in time");
    assert_eq!(server.end_with("TERM").code(), Some(0));
    let log = server.output();
    assert!(log.contains("photos are available again"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_belongs_to_one_database() {
    let (place, other, s3) = (Place::create().await, Place::create().await, S3Server::moto().await);
    for place in [&place, &other] {
        place.run(&["keys", "list"]).output();
    }
    let start = |place: &Place, prefix: &str| {
        let mut command = place.command(&["--listen", "127.0.0.1:0", "--migrate"]);
        in_bucket(&mut command, &s3.address, prefix);
        command
    };
    let first = tokio::task::block_in_place(|| another(&place, "data", |c| in_bucket(c, &s3.address, "shared")));
    let token = first.sign_up("anna").await;
    assert!(try_upload(&first, &token, 1).await["data"]["uploadPhotos"]["photos"][0]["id"].is_string());
    let said = run(&mut start(&other, "shared")).complaint();
    assert!(said.contains("s3://pictures/shared at http://") && said.contains("belongs to another database"), "{said}");
    drop(first);
    // Another prefix than before, as after a typing error.
    let said = run(&mut start(&place, "sharde")).complaint();
    assert!(said.contains("s3://pictures/sharde at http://") && said.contains(&format!("has no {MARKER}")), "{said}");
}
