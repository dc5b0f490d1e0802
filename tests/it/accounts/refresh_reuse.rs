//! A refresh token that is sent again: late, because the answer was lost, or by a thief.

use serde_json::{Value, json};

use super::forger::{Forger, token_of};
use super::signed_in::{SignedIn, is_welcome, log_in, refresh, refreshed, viewer};
use crate::support::{Caller, Reply, TestApp, TestDatabase, test_mails};

/// Beyond the window, to the precision of the marks.
const LATE: i64 = 121;

fn is_expired(reply: &Reply) -> bool {
    reply.user_errors("refreshTokens") == ["EXPIRED input.refreshToken"]
}

fn access(test: &TestApp, reply: &Reply) -> Caller {
    let token = reply.at("/data/refreshTokens/tokens/accessToken").as_str();
    test.bearer(Some(token.unwrap_or_else(|| panic!("new tokens, not {}", reply.body))))
}

/// A session of anna's that was refreshed so many times, with its refresh tokens, the oldest first.
async fn refreshed_times(test: &TestApp, caller: &Caller, times: usize) -> (Caller, Vec<String>) {
    let SignedIn { user, refresh_token } = log_in(caller, "anna").await;
    let mut tokens = vec![refresh_token];
    for _ in 0..times {
        tokens.push(refreshed(&refresh(caller, tokens.last().expect("the first")).await));
    }
    assert!(is_welcome(&user).await, "{}", test.clock.now());
    (user, tokens)
}

async fn events(owner: &Caller) -> Vec<(String, Value)> {
    let log = viewer(owner, "events(first: 100) { nodes { kind ipAddress } }").await;
    let nodes = log["events"]["nodes"].as_array().expect("a list").clone();
    let pair = |event: &Value| (event["kind"].as_str().expect("a kind").to_owned(), event["ipAddress"].clone());
    nodes.iter().map(pair).collect()
}

#[tokio::test]
async fn a_late_token_of_any_generation_gets_the_current_pair() {
    let (test, _) = TestApp::with_user().await;
    let (_, tokens) = refreshed_times(&test, &test.anonymous(), 5).await;
    let [.., current] = tokens.as_slice() else { panic!("six tokens") };
    for seconds in [0, 30, 29] {
        test.clock.advance(seconds);
        for late in &tokens[..5] {
            let reply = refresh(&test.anonymous(), late).await;
            assert_eq!(refreshed(&reply), *current, "it is not an advance");
            assert!(is_welcome(&access(&test, &reply)).await);
        }
    }
    assert_ne!(refreshed(&refresh(&test.anonymous(), current).await), *current);
}

#[tokio::test]
async fn a_token_of_any_generation_but_the_last_ends_its_session_alone_when_it_is_too_late() {
    for which in 0..4 {
        let (test, owner) = TestApp::with_user().await;
        let (user, tokens) = refreshed_times(&test, &test.anonymous(), 5).await;
        test.clock.advance(LATE);
        assert!(is_expired(&refresh(&test.anonymous(), &tokens[which]).await), "generation {which}");
        for ended in &tokens {
            assert!(is_expired(&refresh(&test.anonymous(), ended).await));
        }
        assert!(!is_welcome(&user).await, "its access tokens have ended too");
        assert!(is_welcome(&owner).await, "another session has not");
    }
}

/// Superseded before the window, a generation is never revived by refreshes that follow.
#[tokio::test]
async fn refreshes_do_not_prolong_the_window_of_older_tokens() {
    let (test, _) = TestApp::with_user().await;
    let (_, mut tokens) = refreshed_times(&test, &test.anonymous(), 3).await;
    for _ in 0..6 {
        test.clock.advance(25);
        let reply = refresh(&test.anonymous(), tokens.last().expect("one")).await;
        assert!(is_welcome(&access(&test, &reply)).await);
        tokens.push(refreshed(&reply));
    }
    assert_eq!(&refreshed(&refresh(&test.anonymous(), &tokens[7]).await), tokens.last().expect("one"));
    assert!(is_expired(&refresh(&test.anonymous(), &tokens[1]).await));
}

#[tokio::test]
async fn the_direct_predecessor_is_good_at_any_time_until_somebody_uses_the_successor() {
    for is_used in [false, true] {
        for is_restarted in [false, true] {
            let (mut test, _) = TestApp::with_user().await;
            let (_, tokens) = refreshed_times(&test, &test.anonymous(), 3).await;
            test.clock.advance(LATE);
            let reply = refresh(&test.anonymous(), &tokens[2]).await;
            assert_eq!(refreshed(&reply), tokens[3], "the answer was lost");
            test.clock.advance(86_400);
            let reply = refresh(&test.anonymous(), &tokens[2]).await;
            assert_eq!(refreshed(&reply), tokens[3], "and again");
            if is_used {
                assert!(is_welcome(&access(&test, &reply)).await);
            }
            if is_restarted {
                test.restart().await;
            }
            let reply = refresh(&test.anonymous(), &tokens[2]).await;
            assert_eq!(is_expired(&reply), is_used, "used: {is_used}, restarted: {is_restarted}: {}", reply.body);
        }
    }
}

/// A replica hears of it from the database.
#[tokio::test]
async fn the_first_use_is_stored_and_once() {
    let (test, _) = TestApp::with_user().await;
    let (_, tokens) = refreshed_times(&test, &test.anonymous(), 1).await;
    let user = access(&test, &refresh(&test.anonymous(), &tokens[0]).await);
    let confirmed = async || {
        use cloakroom::accounts::session;
        use sea_orm::EntityTrait as _;
        let rows = session::Entity::find().all(test.app.database.reader()).await.expect("sessions");
        let row = rows.into_iter().find(|row| row.generation == 1).expect("the session");
        (row.confirmed_generation, row.mark_generation)
    };
    assert_eq!(confirmed().await, (Some(0), Some(1)), "redeeming the first refresh token has used its pair");
    assert!(is_welcome(&user).await);
    assert_eq!(confirmed().await.0, Some(0), "a request waits for no write");
    test.app.accounts.write_confirmations().await.expect("it is stored");
    assert_eq!(confirmed().await.0, Some(1));
}

/// As a version made them that had no generations yet: nobody knows what they are a sign of.
#[tokio::test]
async fn an_access_token_without_a_generation_confirms_nothing() {
    let (test, _) = TestApp::with_user().await;
    let (_, tokens) = refreshed_times(&test, &test.anonymous(), 1).await;
    let user = access(&test, &refresh(&test.anonymous(), &tokens[0]).await);
    let forger = Forger::of(test.data_dir(), &token_of(&user));
    assert_eq!(forger.claims["gen"], 1);
    assert!(is_welcome(&test.bearer(Some(&forger.with_claim("gen", Value::Null)))).await);
    test.clock.advance(LATE);
    assert_eq!(refreshed(&refresh(&test.anonymous(), &tokens[0]).await), tokens[1]);
}

#[tokio::test]
async fn without_a_window_only_a_lost_answer_is_forgiven() {
    let test = TestApp::with_config(|config| config.accounts.refresh_reuse_seconds = 0).await;
    test.sign_up("anna").await;
    let (_, tokens) = refreshed_times(&test, &test.anonymous(), 1).await;
    let reply = refresh(&test.anonymous(), &tokens[0]).await;
    assert_eq!(refreshed(&reply), tokens[1]);
    assert!(is_welcome(&access(&test, &reply)).await);
    assert!(is_expired(&refresh(&test.anonymous(), &tokens[0]).await));
    let (_, tokens) = refreshed_times(&test, &test.anonymous(), 2).await;
    assert!(is_expired(&refresh(&test.anonymous(), &tokens[0]).await));
}

/// A thief has a copy of the owner's refresh token. Both use what they get, in turns, and each beyond the window.
#[tokio::test]
async fn a_thief_and_an_owner_who_take_turns_are_noticed() {
    for is_thief_first in [false, true] {
        let (test, watcher) = TestApp::with_user().await;
        let [owner, thief] = ["203.0.113.7", "198.51.100.66"].map(|address| test.anonymous().at_address(address));
        let SignedIn { refresh_token, .. } = log_in(&owner, "anna").await;
        let mut tokens = [refresh_token.clone(), refresh_token];
        let mut turns = 0;
        let ended = 'turns: loop {
            turns += 1;
            assert!(turns < 5, "nobody notices");
            let order = if is_thief_first { [1, 0] } else { [0, 1] };
            for who in order {
                test.clock.advance(LATE);
                let caller = [&owner, &thief][who];
                let reply = refresh(caller, &tokens[who]).await;
                if is_expired(&reply) {
                    break 'turns who;
                }
                tokens[who] = refreshed(&reply);
                assert!(is_welcome(&access(&test, &reply)).await);
            }
        };
        for token in &tokens {
            assert!(is_expired(&refresh(&owner, token).await), "it ends for both");
        }
        let told = events(&watcher).await;
        let (of_request, of_session) = match ended {
            0 => ("203.0.113.7", "198.51.100.66"),
            _ => ("198.51.100.66", "203.0.113.7"),
        };
        assert_eq!(told[0], ("REFRESH_TOKEN_REUSED".to_owned(), json!(of_request)), "{told:?}");
        assert_eq!(told[1], ("SESSION_ENDED".to_owned(), json!(of_session)), "{told:?}");
        test.app.accounts.send_mails().await.expect("mails are sent");
        let mails = test_mails(test.data_dir());
        let mail = mails.iter().find(|mail| mail.subject == "A session of yours was ended").expect("a mail");
        assert_eq!(mail.to, "anna@example.org");
    }
}

#[tokio::test]
async fn a_replay_from_another_address_is_told_and_a_flood_of_them_is_bounded() {
    let (test, watcher) = TestApp::with_user().await;
    let owner = test.anonymous().at_address("203.0.113.7");
    let (_, tokens) = refreshed_times(&test, &owner, 1).await;
    let replays = async || {
        let of_kind = events(&watcher).await.into_iter().filter(|(kind, _)| kind == "REFRESH_TOKEN_REPLAYED");
        of_kind.map(|(_, address)| address).collect::<Vec<_>>()
    };
    refreshed(&refresh(&owner, &tokens[0]).await);
    assert_eq!(replays().await, [json!(null); 0], "from the same address");
    let thief = test.anonymous().at_address("198.51.100.66");
    refreshed(&refresh(&thief, &tokens[0]).await);
    assert_eq!(replays().await, ["198.51.100.66"]);
    for _ in 0..50 {
        refreshed(&refresh(&thief, &tokens[0]).await);
    }
    assert!(replays().await.len() <= 10, "{:?}", replays().await);

    let network = test.anonymous().at_address("2001:db8:1:2::1");
    let (_, tokens) = refreshed_times(&test, &network, 1).await;
    let before = replays().await.len();
    refreshed(&refresh(&test.anonymous().at_address("2001:db8:1:2:ffff::2"), &tokens[0]).await);
    assert_eq!(replays().await.len(), before, "one client may have any address of its /64");
    refreshed(&refresh(&test.anonymous().at_address("2001:db8:1:3::1"), &tokens[0]).await);
    assert_eq!(replays().await.len(), before + 1);
}

/// Each server judges by what the database says: the marks, and which pairs were used.
#[tokio::test]
async fn servers_agree_on_what_is_late_and_what_is_a_copy() {
    if TestDatabase::is_sqlite() {
        return; // One server.
    }
    let (test, user) = TestApp::with_user().await;
    let url = test.config.database.url.to_string();
    let (second, there) = test.replica(&user, &url).await;
    let (_, tokens) = refreshed_times(&test, &test.anonymous(), 3).await;
    for late in &tokens[..3] {
        assert_eq!(refreshed(&refresh(&there, late).await), tokens[3]);
    }
    test.clock.advance(LATE);
    let reply = refresh(&there, &tokens[2]).await;
    assert_eq!(refreshed(&reply), tokens[3], "nobody has used it");
    assert!(is_welcome(&access(&test, &reply)).await);
    test.app.accounts.write_confirmations().await.expect("it is stored");
    assert!(is_expired(&refresh(&there, &tokens[2]).await), "it was used at the other server");
    assert!(is_expired(&refresh(&test.anonymous(), &tokens[3]).await));
    second.stop().await;
}

#[tokio::test]
async fn a_logout_with_a_late_token_is_a_logout_and_with_a_copy_is_told() {
    for (seconds, told) in [(0, &["LOGGED_OUT"][..]), (LATE, &["REFRESH_TOKEN_REUSED", "SESSION_ENDED"])] {
        let (test, watcher) = TestApp::with_user().await;
        let (user, tokens) = refreshed_times(&test, &test.anonymous(), 3).await;
        test.clock.advance(seconds);
        let logout = format!("mutation {{ logout(input: {{ refreshToken: \"{}\" }}) {{ endedSessions }} }}", tokens[0]);
        assert_eq!(test.anonymous().run(&logout).await.data()["logout"]["endedSessions"], 1);
        assert!(!is_welcome(&user).await);
        let kinds: Vec<String> = events(&watcher).await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds[..told.len()], *told, "{kinds:?}");
        test.app.accounts.send_mails().await.expect("mails are sent");
        let mails =
            test_mails(test.data_dir()).into_iter().filter(|mail| mail.subject == "A session of yours was ended");
        assert_eq!(mails.count(), told.len() - 1, "{seconds}");
    }
}
