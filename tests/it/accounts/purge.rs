//! Accounts of any size: `deleteAccount` stays short, and everything is purged in bounded batches, whatever interrupts
//! that.

use chrono::TimeDelta;
use cloakroom::accounts::{account_event, api_key, email_token, idempotency, revoked_access_token, session};
use cloakroom::caller::Caller as Asking;
use cloakroom::counters::{answer, counter};
use cloakroom::id::{AccountEventId, ApiKeyId, CounterId, PhotoId, SessionId, UserId};
use cloakroom::photos::photo;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait as _, EntityTrait, IntoActiveModel, PaginatorTrait as _,
    QueryFilter as _,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Caller, PASSWORD, PATIENCE, Reply, Statements, TestApp, link_token, test_mails};

/// Rows in each table: more than two batches of the largest size.
const ROWS: usize = 2200;
const DAY: i64 = 86_400;

async fn leave(caller: &Caller) -> Reply {
    let mutation = "mutation ($password: String!) { deleteAccount(input: { password: $password }) {
        deletedUserId userErrors { code } } }";
    caller.run_with(mutation, json!({ "password": PASSWORD })).await
}

/// Inserts this number of rows.
async fn insert<A>(test: &TestApp, count: usize, row: impl Fn(usize) -> A)
where
    A: ActiveModelTrait + ActiveModelBehavior + Send + Sync + 'static,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    let rows: Vec<A> = (0..count).map(row).collect();
    for some in rows.chunks(200) {
        let some = some.to_vec();
        let written = test.app.database.write(move |transaction| {
            let insert = A::Entity::insert_many(some.clone());
            Box::pin(async move { Ok(insert.exec_without_returning(transaction).await.map(drop)?) })
        });
        written.await.expect("rows are inserted");
    }
}

/// Gives a user many rows in every table.
async fn fill(test: &TestApp, user: UserId) {
    let now = test.clock.now();
    let later = now + TimeDelta::days(400);
    insert(test, ROWS, |_| session_row(user, now)).await;
    let session = SessionId::generate();
    insert(test, 1, |_| session::ActiveModel { id: Set(session), ..session_row(user, now) }).await;
    insert(test, ROWS, |_| revoked_access_token::ActiveModel {
        id: Set(Uuid::now_v7()),
        session_id: Set(session),
        expires_at: Set(later),
    })
    .await;
    insert(test, ROWS, |_| account_event::ActiveModel {
        id: Set(AccountEventId::generate()),
        user_id: Set(user),
        actor_id: Set(None),
        actor_kind: Set(None),
        kind: Set(account_event::Kind::LoggedIn),
        subject: Set(None),
        ip_address: Set(None),
        user_agent: Set(None),
        created_at: Set(now),
    })
    .await;
    fill_credentials(test, user, later).await;
    fill_counters(test, user, later).await;
    insert(test, 60, |_| photo::ActiveModel {
        id: Set(PhotoId::generate()),
        user_id: Set(Some(user)),
        published: Set(false),
        caption: Set(None),
        thumbhash: Set(String::new()),
        created_at: Set(now),
        updated_at: Set(now),
        published_at: Set(None),
        announced_at: Set(None),
        link_generation: Set(0),
    })
    .await;
}

type Moment = chrono::DateTime<chrono::Utc>;

async fn fill_credentials(test: &TestApp, user: UserId, later: Moment) {
    insert(test, ROWS, |row| email_token::ActiveModel {
        hash: Set(format!("{row:064}")),
        kind: Set(email_token::Kind::VerifyEmail),
        user_id: Set(user),
        email: Set("anna@example.org".to_owned()),
        expires_at: Set(later),
    })
    .await;
    insert(test, ROWS, |row| api_key::ActiveModel {
        id: Set(ApiKeyId::generate()),
        user_id: Set(user),
        name: Set("key".to_owned()),
        prefix: Set("crk_".to_owned()),
        secret_hash: Set(format!("{row:064}")),
        scopes: Set(1),
        counter_id: Set(None),
        counter_name: Set(None),
        created_at: Set(later),
        last_used_at: Set(None),
        expires_at: Set(None),
    })
    .await;
    insert(test, ROWS, |row| idempotency::ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(user),
        operation: Set(idempotency::Operation::CreateCounter),
        key: Set(row.to_string()),
        request_hash: Set(String::new()),
        result: Set("[]".to_owned()),
        created_at: Set(later),
    })
    .await;
}

async fn fill_counters(test: &TestApp, user: UserId, later: Moment) {
    insert(test, ROWS, |row| counter::ActiveModel {
        id: Set(CounterId::generate()),
        user_id: Set(user),
        name: Set(row.to_string()),
        current: Set(0),
        step: Set(1),
        max: Set(9),
        created_at: Set(later),
        updated_at: Set(later),
        deleted_at: Set(None),
        idempotency_records: Set(0),
    })
    .await;
    let full = counter::Entity::find().filter(counter::Column::Name.eq("default"));
    let full = full.filter(counter::Column::UserId.eq(user)).one(test.app.database.reader()).await;
    let full = full.expect("a counter").expect("everybody has one").id;
    insert(test, ROWS, |row| answer::ActiveModel {
        counter_id: Set(full),
        key: Set(row.to_string()),
        count: Set(Some(1)),
        set_to: Set(None),
        if_current: Set(None),
        previous: Set(0),
        current: Set(1),
        created_at: Set(later),
    })
    .await;
}

fn session_row(user: UserId, now: Moment) -> session::ActiveModel {
    session::ActiveModel {
        id: Set(SessionId::generate()),
        user_id: Set(user),
        generation: Set(0),
        name: Set(None),
        created_at: Set(now),
        expires_at: Set(now + TimeDelta::days(400)),
        refresh_ended_at: Set(None),
        ended_at: Set(None),
        ip_address: Set(None),
        user_agent: Set(None),
        last_used_at: Set(None),
        confirmed_generation: Set(None),
        mark_generation: Set(None),
        marked_at: Set(None),
        earlier_mark_generation: Set(None),
        earlier_marked_at: Set(None),
    }
}

/// Numbers of rows in each table that refers to users.
async fn rows(test: &TestApp) -> [u64; 9] {
    let reader = test.app.database.reader();
    [
        session::Entity::find().count(reader).await.expect("sessions"),
        revoked_access_token::Entity::find().count(reader).await.expect("tokens"),
        account_event::Entity::find().count(reader).await.expect("events"),
        email_token::Entity::find().count(reader).await.expect("links"),
        api_key::Entity::find().count(reader).await.expect("keys"),
        idempotency::Entity::find().count(reader).await.expect("records"),
        counter::Entity::find().count(reader).await.expect("counters"),
        answer::Entity::find().count(reader).await.expect("answers"),
        photo::Entity::find().count(reader).await.expect("photos"),
    ]
}

/// Somebody with many rows, and somebody else.
async fn with_rows() -> (TestApp, Caller, UserId, [u64; 9]) {
    let test = TestApp::start().await;
    test.sign_up("bert").await;
    let others = rows(&test).await;
    let anna = test.sign_up("anna").await;
    let id = UserId::parse(&anna.user_id().await).expect("an id");
    fill(&test, id).await;
    (test, anna, id, others)
}

#[tokio::test]
async fn an_account_with_many_rows_is_deleted_in_a_short_transaction_and_purged_in_batches() {
    let (mut test, anna, id, others) = with_rows().await;
    Statements::count();
    let before = Statements::count();
    assert_eq!(leave(&anna).await.user_errors("deleteAccount"), [""; 0]);
    assert!(before.so_far() <= 20, "{} statements", before.so_far());
    assert!(anna.is_refused().await);

    test.clock.advance(7 * DAY + 1);
    // At whatever moment it is cut off, the next sweep removes the rest.
    for _ in 0..9 {
        let before = rows(&test).await;
        let app = std::sync::Arc::clone(&test.app);
        let sweep = tokio::spawn(async move { app.accounts.sweep().await });
        let begun = async {
            while rows(&test).await == before && !sweep.is_finished() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.expect("the purge begins");
        sweep.abort();
        drop(sweep.await);
        test.restart().await;
        let left = rows(&test).await;
        assert!(left.iter().zip(&before).all(|(left, before)| left <= before), "{before:?} became {left:?}");
    }
    assert!(test.app.accounts.sweep().await.is_ok());
    assert_eq!(rows(&test).await, others);
    let user = cloakroom::accounts::user::Entity::find_by_id(id).one(test.app.database.reader()).await;
    assert_eq!(user.expect("users"), None);
}

#[tokio::test]
async fn an_account_whose_purge_has_begun_is_nobodys_and_its_names_are_free() {
    let (test, anna, id, _) = with_rows().await;
    leave(&anna).await.data();
    test.clock.advance(7 * DAY + 1);
    let app = std::sync::Arc::clone(&test.app);
    let full = rows(&test).await;
    let sweep = tokio::spawn(async move { app.accounts.sweep().await });
    let begun = async {
        while rows(&test).await == full {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("the purge begins");
    sweep.abort();
    drop(sweep.await);

    let (operator, accounts) = (Asking::operator(), &test.app.accounts);
    assert!(accounts.restore(&operator, id).await.is_err(), "half an account is none");
    assert!(test.app.export_user(&operator, id, None).await.is_err());
    assert!(accounts.inspect(&operator, id).await.is_err());
    assert!(accounts.delete_user(&operator, id, false).await.is_err());
    for who in ["anna".to_owned(), "anna@example.org".to_owned(), id.to_string()] {
        assert_eq!(accounts.find_account(&operator, &who).await.expect("an answer"), None, "{who}");
    }
    let again = test.sign_up("anna").await;
    assert_eq!(again.next().await, 1);
    // Settings that would give it more days change nothing any more.
    test.app.accounts.sweep().await.expect("a sweep");
    assert_eq!((test.rows().await.users, again.next().await), (2, 2));
}

#[tokio::test]
async fn an_operator_removes_an_account_with_many_rows_at_once() {
    let (test, _anna, id, others) = with_rows().await;
    test.app.accounts.delete_user(&Asking::operator(), id, true).await.expect("it is removed");
    assert_eq!((rows(&test).await, test.rows().await.users), (others, 1));
}

/// A session from before the deletion never becomes valid again.
#[tokio::test]
async fn sessions_from_before_the_deletion_have_ended_when_the_account_comes_back() {
    let (test, anna) = TestApp::with_user().await;
    let id = UserId::parse(&anna.user_id().await).expect("an id");
    insert(&test, ROWS, |_| session_row(id, test.clock.now())).await;
    leave(&anna).await.data();
    test.app.accounts.restore(&Asking::operator(), id).await.expect("they are back");
    assert!(anna.is_refused().await);
    let live = session::Entity::find().filter(session::Column::EndedAt.is_null());
    assert_eq!(live.count(test.app.database.reader()).await.expect("sessions"), 0);
    assert_eq!(test.sign_in("anna").await.next().await, 1);
}

/// More sessions than one statement can name.
#[tokio::test]
async fn any_number_of_sessions_ends_at_once() {
    let (test, anna) = TestApp::with_user().await;
    let id = UserId::parse(&anna.user_id().await).expect("an id");
    insert(&test, 35_000, |_| session_row(id, test.clock.now())).await;
    let reply = anna.run("mutation { logout(input: { scope: ALL_SESSIONS }) { endedSessions } }").await;
    assert_eq!(reply.data()["logout"]["endedSessions"], 35_001);
}

#[tokio::test]
async fn many_expired_rows_are_swept_in_batches() {
    let (test, _anna, id, _) = with_rows().await;
    let now = test.clock.now();
    let expire = test.app.database.write(move |transaction| {
        Box::pin(async move {
            let sessions = session::Entity::update_many().col_expr(session::Column::ExpiresAt, Expr::value(now));
            sessions.filter(session::Column::UserId.eq(id)).exec(transaction).await?;
            let tokens = revoked_access_token::Entity::update_many();
            tokens.col_expr(revoked_access_token::Column::ExpiresAt, Expr::value(now)).exec(transaction).await?;
            let links = email_token::Entity::update_many();
            links.col_expr(email_token::Column::ExpiresAt, Expr::value(now)).exec(transaction).await?;
            let keys = api_key::Entity::update_many().col_expr(api_key::Column::ExpiresAt, Expr::value(now));
            keys.exec(transaction).await?;
            let records = idempotency::Entity::update_many();
            records.col_expr(idempotency::Column::CreatedAt, Expr::value(now)).exec(transaction).await?;
            Ok(())
        })
    });
    expire.await.expect("rows are changed");
    test.clock.advance(200 * DAY);
    Statements::count();
    let before = Statements::count();
    assert!(test.app.accounts.sweep().await.is_ok());
    let [sessions, tokens, events, links, keys, records, counters, ..] = rows(&test).await;
    assert_eq!([sessions, tokens, events, links, keys, records], [0; 6]);
    assert_eq!(counters, ROWS as u64 + 2, "nobody has left");
    assert!(before.in_transactions() >= 6 * 3, "{} statements", before.in_transactions());
}

/// A bound on the rows that a request removes that invalidates all links.
#[tokio::test]
async fn a_user_has_a_bounded_number_of_links() {
    let (test, anna) = TestApp::with_user().await;
    let id = UserId::parse(&anna.user_id().await).expect("an id");
    let expires_at = test.clock.now() + TimeDelta::hours(1);
    insert(&test, 150, |row| email_token::ActiveModel {
        hash: Set(format!("{row:064}")),
        kind: Set(email_token::Kind::VerifyEmail),
        user_id: Set(id),
        email: Set("anna@example.org".to_owned()),
        expires_at: Set(expires_at),
    })
    .await;
    anna.run("mutation { sendVerificationEmail { sent } }").await.data();
    test.app.accounts.send_mails().await.expect("it is sent");
    let links = email_token::Entity::find().count(test.app.database.reader()).await.expect("links");
    assert_eq!(links, 100);
    let token = link_token(test_mails(test.data_dir()).last().expect("a mail"));
    let verify = format!("mutation {{ verifyEmail(input: {{ token: \"{token}\" }}) {{ userErrors {{ code }} }} }}");
    assert_eq!(anna.run(&verify).await.user_errors("verifyEmail"), [""; 0], "the newest is good");
}
