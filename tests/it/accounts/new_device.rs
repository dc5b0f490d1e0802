//! Strangers who try an account's password from many places do not lock its owner out on a new device.

use cloakroom::config::Bucket;

use super::signed_in::{login, stranger};
use crate::support::{Caller, PASSWORD, TestApp};

const WRONG: &str = "wrong horse battery";
/// Where the owner was never signed in.
const NEW: &str = "203.0.113.77";

async fn start() -> TestApp {
    TestApp::with_config(|config| {
        config.limits.login_per_account = Bucket { burst: 3, per_hour: 60 };
        config.limits.login_from_new_address = Bucket { burst: 2, per_hour: 1 };
        config.limits.login_from_new_addresses = Bucket { burst: 6, per_hour: 1 };
    })
    .await
}

async fn is_limited(caller: &Caller, name: &str, password: &str) -> bool {
    login(caller, name, password).await.code() == "RATE_LIMITED"
}

#[tokio::test]
async fn who_spends_all_attempts_from_one_network_leaves_the_owner_some_on_a_new_device() {
    let test = start().await;
    test.sign_up("anna").await;
    for name in ["anna", "anna@example.org"] {
        let attacker = stranger(&test, "198.51.100.66");
        for at in 0..20 {
            assert_eq!(is_limited(&attacker, name, WRONG).await, at >= 5, "{name}: three, and two of its own");
        }
        let owner = stranger(&test, NEW);
        assert!(!is_limited(&owner, name, PASSWORD).await, "{name}");
    }
}

/// P6: an account that does not exist is counted alike.
#[tokio::test]
async fn attempts_from_new_networks_are_bounded_together_whether_the_account_exists() {
    let test = start().await;
    test.sign_up("anna").await;
    let mut seen = Vec::new();
    for name in ["anna", "nobody"] {
        let mut limited = Vec::new();
        for at in 0..12 {
            limited.push(is_limited(&stranger(&test, &format!("198.51.100.{at}")), name, WRONG).await);
        }
        seen.push(limited);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].iter().filter(|limited| !**limited).count(), 9, "three and six hashes: {seen:?}");
}

#[tokio::test]
async fn one_site_of_ipv6_is_one_network() {
    let test = start().await;
    test.sign_up("anna").await;
    let mut admitted = 0;
    for at in 0..20 {
        let address = format!("2001:db8:1:{at:x}::1");
        admitted += usize::from(!is_limited(&stranger(&test, &address), "anna", WRONG).await);
    }
    assert_eq!(admitted, 5, "three, and two of the /48");
    assert!(!is_limited(&stranger(&test, NEW), "anna", PASSWORD).await);
}

#[tokio::test]
async fn without_that_budget_a_new_device_waits_with_the_strangers() {
    let test = TestApp::with_config(|config| {
        config.limits.login_per_account = Bucket { burst: 3, per_hour: 60 };
        config.limits.login_from_new_address = Bucket { burst: 0, per_hour: 0 };
    })
    .await;
    test.sign_up("anna").await;
    for at in 0..3 {
        assert!(!is_limited(&stranger(&test, &format!("198.51.100.{at}")), "anna", WRONG).await);
    }
    assert!(is_limited(&stranger(&test, NEW), "anna", PASSWORD).await);
}
