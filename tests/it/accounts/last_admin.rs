//! There is always somebody left who can let others in.

use cloakroom::accounts::user;
use futures_util::future::join;
use serde_json::json;

use crate::support::{Caller, PASSWORD, Reply, TestApp};

/// How an administrator can be lost. The third is by themselves.
const WAYS: [&str; 3] = ["setUserRole", "suspendUser", "deleteAccount"];

async fn lose(caller: &Caller, way: &str, id: &str) -> Reply {
    let input = match way {
        "setUserRole" => format!("userId: \"{id}\", role: USER"),
        "suspendUser" => format!("userId: \"{id}\""),
        _ => format!("password: \"{PASSWORD}\""),
    };
    caller.run(&format!("mutation {{ {way}(input: {{ {input} }}) {{ userErrors {{ code field message }} }} }}")).await
}

fn succeeded(reply: &Reply, way: &str) -> bool {
    reply.at(&format!("/data/{way}/userErrors")) == &json!([])
}

#[tokio::test]
async fn the_last_administrator_can_be_neither_demoted_nor_suspended_nor_deleted() {
    let test = TestApp::start().await;
    let (root, id) = {
        let root = test.admin("root").await;
        let id = root.user_id().await;
        (root, id)
    };
    let suspended = test.admin("suspended").await;
    let gone = test.admin("gone").await;
    assert!(succeeded(&lose(&root, "suspendUser", &suspended.user_id().await).await, "suspendUser"));
    assert!(succeeded(&lose(&gone, "deleteAccount", "").await, "deleteAccount"));
    for (way, field) in [("setUserRole", " input.userId"), ("suspendUser", " input.userId"), ("deleteAccount", "")] {
        let reply = lose(&root, way, &id).await;
        assert_eq!(
            reply.user_errors(way),
            [format!("CONFLICT{field}")],
            "who may not act does not count: {}",
            reply.body
        );
    }
    let operator = cloakroom::caller::Caller::operator();
    let user = cloakroom::id::UserId::parse(&id).expect("an id");
    assert!(test.app.accounts.suspend(&operator, Some(user)).await.is_err(), "nor by an operator");
    assert!(test.app.accounts.delete_user(&operator, user, true).await.is_err());
    assert_eq!(root.run("{ viewer { role } }").await.data()["viewer"]["role"], "ADMIN");

    let other = test.admin("other").await;
    assert!(succeeded(&lose(&root, "setUserRole", &id).await, "setUserRole"), "oneself, while somebody else is left");
    let reply = lose(&other, "setUserRole", &other.user_id().await).await;
    assert_eq!(reply.user_errors("setUserRole"), ["CONFLICT input.userId"]);
}

/// Whatever two do to each other at the same moment, one is left; but on SQLite the two run side by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_who_end_each_other_at_once_leave_one() {
    let test = TestApp::start().await;
    for round in 0..8 {
        for (first, second) in WAYS.into_iter().flat_map(|first| WAYS.into_iter().map(move |second| (first, second))) {
            let name = |which: &str| format!("{which}{round}{}{}", &first[..2], &second[..2]);
            let (a, b) = (test.admin(&name("a")).await, test.admin(&name("b")).await);
            let (a_id, b_id) = (a.user_id().await, b.user_id().await);
            let (one, two) = join(
                tokio::spawn({
                    let (a, b_id) = (a.clone(), b_id.clone());
                    async move { lose(&a, first, &b_id).await }
                }),
                tokio::spawn({
                    let (b, a_id) = (b.clone(), a_id.clone());
                    async move { lose(&b, second, &a_id).await }
                }),
            )
            .await;
            let (one, two) = (one.expect("a reply"), two.expect("a reply"));
            let context = format!("{first} and {second}: {} {}", one.body, two.body);
            assert!(one.status.as_u16() < 500 && two.status.as_u16() < 500, "{context}");
            assert_ne!(one.code(), "INTERNAL_SERVER_ERROR", "{context}");
            assert_ne!(two.code(), "INTERNAL_SERVER_ERROR", "{context}");
            let left = admins(&test).await;
            assert_eq!(left.len(), 1, "{context}");
            assert!(succeeded(&one, first) || succeeded(&two, second), "{context}");
            clear(&test).await;
        }
    }
}

async fn admins(test: &TestApp) -> Vec<user::Model> {
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
    let admins = user::Entity::find().filter(user::Column::Role.eq(user::Role::Admin));
    let acting = admins.filter(user::Column::SuspendedAt.is_null()).filter(user::Column::DeletedAt.is_null());
    acting.all(test.app.database.reader()).await.expect("users are read")
}

/// Behind the app's back, which would refuse to remove the last one.
async fn clear(test: &TestApp) {
    crate::support::alter(test, "UPDATE users SET role = 'user'").await;
}
