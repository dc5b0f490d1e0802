//! What open connections cost.

use super::CURRENT;
use super::client::Socket;
use crate::support::Process;

/// Each with a subscription, and nothing happening.
const SOCKETS: u64 = 500;
/// 30 kB would be 300 MB for ten thousand.
const MAX_KB: u64 = 25;

#[tokio::test]
async fn an_idle_subscriber_costs_little_memory() {
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(data_dir.path(), |command| {
        command.env("CLOAKROOM__SUBSCRIPTIONS__MAX_PER_CALLER", "100000");
    });
    let token = server.sign_up("anna").await;
    let open = async || {
        let mut socket = Socket::open(server.address).await;
        socket.init(Some(&token)).await;
        socket.subscribe("a", CURRENT).await;
        socket.answer("a").await;
        socket
    };
    // What the first ones cost is there once.
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(open().await);
    }
    let before = server.resident_kb();
    for _ in 0..SOCKETS {
        sockets.push(open().await);
    }
    // The system may have taken back what signing up needed.
    let each = server.resident_kb().saturating_sub(before) / SOCKETS;
    assert!(each < MAX_KB, "{each} kB for each");
    assert!(server.run(Some(&token), "mutation { next { value } }").await.is_some());
    for mut socket in sockets {
        assert_eq!(super::current(&socket.answer("a").await), 1);
    }
}
