//! Usernames and names that nobody can see, or tell from another one.

use cloakroom::accounts::UpdateProfile;
use cloakroom::caller::Caller as Asking;
use cloakroom::id::UserId;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, Reply, TestApp};

const SIGN_UP: &str = "mutation ($input: SignUpInput!) { signUp(input: $input) {
    user { username } tokens { accessToken } userErrors { code field message } } }";
const TOO_SIMILAR: &str = "Too similar to an existing username.";

async fn sign_up(test: &TestApp, username: &str) -> Reply {
    test.anonymous().run_with(SIGN_UP, json!({ "input": { "username": username, "password": PASSWORD } })).await
}

async fn rename(caller: &Caller, username: &str) -> Reply {
    let mutation = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
        user { username } userErrors { code field message } } }";
    caller.run_with(mutation, json!({ "input": { "username": username } })).await
}

fn is_too_similar(reply: &Reply, mutation: &str) -> bool {
    let errors = &reply.data()[mutation]["userErrors"];
    reply.user_errors(mutation) == ["TAKEN input.username"] && errors[0]["message"] == TOO_SIMILAR
}

#[tokio::test]
async fn usernames_that_cannot_be_seen_or_mix_scripts_are_refused() {
    let (test, anna) = TestApp::with_user().await;
    for username in [
        "admin\u{1160}",
        "admin\u{115f}",
        "\u{3164}\u{3164}\u{3164}",
        "ad\u{ffa0}min",
        "ad\u{200b}min",
        "ad\u{200d}min",
        "admin\u{fe0f}",
        "admin\u{202e}",
        "admin\u{e0061}",
        "аdmin",
        "аdmin2",
        "adminα",
        "ᴀᴅᴍɪɴ",
        "2הדס",
    ] {
        assert_eq!(sign_up(&test, username).await.user_errors("signUp"), ["INVALID input.username"], "{username:?}");
        assert_eq!(rename(&anna, username).await.user_errors("updateProfile"), ["INVALID input.username"]);
    }
    for username in ["мария", "הדס", "やまだ太郎", "Łukasz-東京", "हिन्दी", "김철수"] {
        let reply = sign_up(&test, username).await;
        assert_eq!(reply.at("/data/signUp/user/username"), username, "{}", reply.body);
        test.sign_in(username).await;
    }
}

#[tokio::test]
async fn a_username_that_looks_like_another_one_is_refused_in_either_order() {
    for (first, second) in [
        ("coco", "сосо"),
        ("сосо", "coco"),
        ("сосо", "Coco"),
        ("coma", "СОМА"),
        ("paypal", "раураІ"),
        ("раураІ", "PayPal"),
        ("ѕсоре", "scope"),
        ("ооо", "οοο"),
    ] {
        let test = TestApp::start().await;
        sign_up(&test, first).await.data();
        assert!(test.sign_in(first).await.run("{ viewer { role } }").await.data().is_object());
        let before = test.rows().await;
        assert!(is_too_similar(&sign_up(&test, second).await, "signUp"), "{first} {second}");
        assert_eq!(test.rows().await, before, "a refused sign-up leaves nothing");
        let other = test.sign_up("somebody").await;
        assert!(is_too_similar(&rename(&other, second).await, "updateProfile"), "{first} {second}");
    }
}

#[tokio::test]
async fn names_in_ascii_are_not_compared_by_their_looks() {
    let test = TestApp::start().await;
    for username in ["paypal1", "paypall", "paypaI1", "rnodern", "modern"] {
        assert_eq!(sign_up(&test, username).await.user_errors("signUp"), [""; 0], "{username}");
    }
    assert_eq!(sign_up(&test, "PAYPALL").await.user_errors("signUp"), ["TAKEN input.username"]);
}

#[tokio::test]
async fn a_name_that_is_given_up_or_purged_frees_its_looks() {
    let test = TestApp::start().await;
    let (first, second) = (test.sign_up("coc0").await, test.sign_up("coco").await);
    assert!(is_too_similar(&sign_up(&test, "сосо").await, "signUp"));
    rename(&first, "berta").await.data();
    assert!(is_too_similar(&sign_up(&test, "сосо").await, "signUp"), "the other one has it still");
    assert_eq!(rename(&second, "COCO").await.at("/data/updateProfile/user/username"), "COCO");
    assert!(is_too_similar(&sign_up(&test, "сосо").await, "signUp"));
    rename(&second, "сосо").await.data();
    assert!(is_too_similar(&rename(&first, "coco").await, "updateProfile"));
    assert_eq!(rename(&second, "Сосо").await.at("/data/updateProfile/user/username"), "Сосо", "its own look-alike");
    let id = UserId::parse(&second.user_id().await).expect("an id");
    test.app.accounts.delete_user(&Asking::operator(), id, true).await.expect("it is purged");
    assert_eq!(rename(&first, "coco").await.user_errors("updateProfile"), [""; 0]);
    let id = UserId::parse(&first.user_id().await).expect("an id");
    test.app.accounts.delete_user(&Asking::operator(), id, true).await.expect("it is purged");
    assert_eq!(sign_up(&test, "сосо").await.user_errors("signUp"), [""; 0]);
}

#[tokio::test]
async fn an_operator_gives_nobody_the_looks_of_another() {
    let (test, anna) = TestApp::with_user().await;
    sign_up(&test, "сосо").await.data();
    let id = UserId::parse(&anna.user_id().await).expect("an id");
    let input = UpdateProfile { username: Some("coco".to_owned()), display_name: None };
    let renamed = test.app.accounts.rename(&Asking::operator(), id, input).await;
    assert!(format!("{renamed:?}").contains(TOO_SIMILAR), "{renamed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_look_alikes_that_sign_up_at_once_one_script_wins() {
    for _ in 0..3 {
        let test = TestApp::start().await;
        let attempts = ["ooo", "ооо", "oo0", "οοο", "ooo", "ооо", "oo0", "οοο"].map(|username| {
            let caller = test.anonymous();
            let input = json!({ "input": { "username": username, "password": PASSWORD } });
            tokio::spawn(async move { caller.run_with(SIGN_UP, input).await })
        });
        let replies: Vec<Reply> = join_all(attempts).await.into_iter().map(|reply| reply.expect("a reply")).collect();
        let mut winners: Vec<&str> =
            replies.iter().filter_map(|reply| reply.at("/data/signUp/user/username").as_str()).collect();
        winners.sort_unstable();
        assert!([&["oo0", "ooo"][..], &["ооо"], &["οοο"]].contains(&&winners[..]), "{winners:?}");
        for loser in replies.iter().filter(|reply| reply.at("/data/signUp/user").is_null()) {
            assert_eq!(loser.user_errors("signUp"), ["TAKEN input.username"], "{}", loser.body);
        }
    }
}

#[tokio::test]
async fn a_display_name_can_be_seen_and_keeps_its_direction() {
    let (_test, anna) = TestApp::with_user().await;
    let set = async |name: &str| {
        let mutation = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
            user { displayName } userErrors { code field message } } }";
        anna.run_with(mutation, json!({ "input": { "displayName": name } })).await
    };
    for name in [
        "\u{200b}",
        "\u{3164}\u{3164}",
        "\u{1160}",
        "\u{2800}",
        "\u{ad}\u{200d}",
        "abc\u{202e}cba",
        "\u{2067}x",
        "a\u{2028}b",
    ] {
        assert_eq!(set(name).await.user_errors("updateProfile"), ["INVALID input.displayName"], "{name:?}");
    }
    for name in ["👩\u{200d}🚒 Anna", "❤\u{fe0f}", "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", "מרים"]
    {
        assert_eq!(set(name).await.at("/data/updateProfile/user/displayName"), &Value::from(name));
    }
}
