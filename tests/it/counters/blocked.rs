//! Counters whose rows another transaction has locked: their own writes wait, in their order, and nobody else's. Not on
//! SQLite, which has no locks of rows.

use std::sync::Arc;

use cloakroom::counters::{Next, SetCurrent, Taken};
use cloakroom::error::Error;
use cloakroom::store::Backend;
use sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{NEXT, all, create, current, delete, in_person, number, range, set, take};
use crate::support::{Caller, Hold, PATIENCE, Reply, TestApp, TestDatabase};

/// A condition for the row of this counter alone: MariaDB also locks rows that it only looks at.
async fn is_row(test: &TestApp, name: &str) -> String {
    let reader = test.app.database.reader();
    let (id, literal) = match TestDatabase::backend() {
        Backend::Postgres => ("id::text", "uuid"),
        _ => ("hex(id)", "unhex"),
    };
    let sql = format!("SELECT {id} FROM counters WHERE name = '{name}'");
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    let row = reader.query_one_raw(statement).await.expect("an answer").expect("the counter");
    format!("id = {literal}('{}')", row.try_get_by_index::<String>(0).expect("an id"))
}

/// Locks the only counter of this name.
async fn lock(test: &TestApp, name: &str) -> Hold {
    Hold::of(test, format!("SELECT id FROM counters WHERE {} FOR UPDATE", is_row(test, name).await).leak()).await
}

/// A server that waits long for a lock, so that only what need not wait ends before the test lets go.
async fn patient() -> Option<(TestApp, Caller)> {
    if TestDatabase::is_sqlite() {
        return None;
    }
    let test = TestApp::with_config(|config| {
        config.database.answer_seconds = 300;
        (config.http.answer_seconds, config.http.request_seconds) = (600, 600);
    })
    .await;
    let user = test.sign_up("anna").await;
    Some((test, user))
}

/// A mutation that goes on in the background.
fn begin(caller: &Caller, mutation: &str) -> JoinHandle<Reply> {
    let (caller, mutation) = (caller.clone(), mutation.to_owned());
    tokio::spawn(async move { caller.run(&mutation).await })
}

fn next_of(counter: &str) -> String {
    format!(r#"mutation {{ next(input: {{ counter: "{counter}" }}) {{ value first last }} }}"#)
}

/// Runs work that must end while a lock is held.
async fn promptly<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it does not wait for the lock")
}

#[tokio::test]
async fn a_locked_counter_delays_none_of_the_others() {
    let Some((test, user)) = patient().await else { return };
    create(&user, r#"name: "locked""#).await;
    let other = test.sign_up("bob").await;
    let hold = lock(&test, "locked").await;
    let writes = [
        next_of("locked"),
        r#"mutation { next(input: { counter: "locked", idempotencyKey: "k" }) { value first last } }"#.to_owned(),
        r#"mutation { next(input: { counter: "locked", count: 3 }) { value first last } }"#.to_owned(),
    ];
    let waiting: Vec<_> = writes.iter().cycle().take(30).map(|write| begin(&user, write)).collect();
    for round in 1..=50 {
        promptly(async {
            assert_eq!(other.next().await, round);
            set(&user, 10 * round).await;
            let keyed = take(&user, &format!(r#"idempotencyKey: "{round}""#)).await;
            assert_eq!(range(&keyed), Ok((10 * round + 1, 10 * round + 1)));
        })
        .await;
    }
    assert!(waiting.iter().all(|write| !write.is_finished()), "a write was answered in spite of the lock");
    hold.release().await;
    let mut taken = Vec::new();
    for write in waiting {
        let (first, last) = range(&write.await.expect("it ends")).expect("integers");
        taken.extend(first..=last);
    }
    taken.sort_unstable();
    taken.dedup();
    // Ten of one, ten of three, and one under the key.
    assert_eq!(taken, Vec::from_iter(1..=41));
    assert_eq!(number(&user.run(&next_of("locked")).await), Ok(42), "the counter is as the others again");
}

#[tokio::test]
async fn each_of_several_locked_counters_waits_for_its_own_lock() {
    let Some((test, user)) = patient().await else { return };
    for name in ["one", "two", "three"] {
        create(&user, &format!(r#"name: "{name}""#)).await;
    }
    let (one, two) = (lock(&test, "one").await, lock(&test, "two").await);
    let [first, second] = ["one", "two"].map(|name| begin(&user, &next_of(name)));
    assert_eq!(promptly(async { number(&user.run(&next_of("three")).await) }).await, Ok(1));
    two.release().await;
    assert_eq!(number(&promptly(second).await.expect("it ends")), Ok(1));
    assert!(!first.is_finished(), "its lock is held");
    one.release().await;
    assert_eq!(number(&first.await.expect("it ends")), Ok(1));
}

#[tokio::test]
async fn writes_of_a_locked_counter_keep_their_order() {
    let Some((test, user)) = patient().await else { return };
    let other = test.sign_up("bob").await;
    create(&user, r#"name: "locked""#).await;
    let caller = in_person(&user).await;
    let hold = lock(&test, "locked").await;
    let counters = &test.app.counters;
    let next = |key: Option<&str>| {
        let input = Next { counter: Some("locked"), count: 1, idempotency_key: key.map(Arc::from) };
        counters.next(&caller, input)
    };
    let input = SetCurrent { current: 100, counter: "locked".to_owned(), if_current: Some(2), idempotency_key: None };
    // Each is in line when it is polled for the first time.
    let (first, second, set, third, fourth, ()) = tokio::join!(
        next(None),
        next(Some("k")),
        counters.set_current(&caller, input),
        next(None),
        next(Some("k")),
        async {
            promptly(other.next()).await;
            hold.release().await;
        }
    );
    let value = |taken: Result<Taken, Error>| taken.map(|taken| taken.last).expect("a number");
    assert_eq!((value(first), value(second)), (1, 2));
    assert_eq!(set.expect("it is set").previous, 2);
    assert_eq!((value(third), value(fourth)), (101, 2), "the second under the key is the first again");
}

#[tokio::test]
async fn a_counter_that_does_not_exist_is_told_from_one_that_is_locked() {
    let Some((test, user)) = patient().await else { return };
    create(&user, r#"name: "locked""#).await;
    let hold = lock(&test, "locked").await;
    let waiting = begin(&user, &next_of("locked"));
    for _ in 0..5 {
        let replies = promptly(all((0..4).map(|nth| {
            let user = user.clone();
            async move {
                match nth {
                    0 => user.run(&next_of("missing")).await,
                    1 => take(&user, r#"counter: "missing", idempotencyKey: "k""#).await,
                    _ => user.run(NEXT).await,
                }
            }
        })))
        .await;
        assert_eq!((replies[0].code(), replies[1].code()), ("NOT_FOUND", "NOT_FOUND"));
        assert!(number(&replies[2]).is_ok() && number(&replies[3]).is_ok());
    }
    assert!(!waiting.is_finished());
    hold.release().await;
    assert_eq!(number(&waiting.await.expect("it ends")), Ok(1));
}

#[tokio::test]
async fn a_counter_that_is_deleted_while_its_writes_wait_is_not_found() {
    let Some((test, user)) = patient().await else { return };
    create(&user, r#"name: "locked""#).await;
    let database = test.app.database.clone();
    let sql: &'static str = format!("DELETE FROM counters WHERE {}", is_row(&test, "locked").await).leak();
    let (locked, go) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (told, until) = (Arc::clone(&locked), Arc::clone(&go));
    let deletion = tokio::spawn(async move {
        database
            .write(move |transaction| {
                let (told, until) = (Arc::clone(&told), Arc::clone(&until));
                Box::pin(async move {
                    transaction.execute_unprepared(sql).await?;
                    told.notify_one();
                    until.notified().await;
                    Ok::<_, Error>(())
                })
            })
            .await
    });
    locked.notified().await;
    let waiting = begin(&user, &next_of("locked"));
    assert!(promptly(async { number(&user.run(NEXT).await) }).await.is_ok());
    go.notify_one();
    assert!(deletion.await.expect("it ends").is_ok());
    assert_eq!(waiting.await.expect("it ends").code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_write_that_waits_too_long_for_a_lock_is_refused_and_not_done() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let test = TestApp::with_config(|config| config.database.answer_seconds = 1).await;
    let user = test.sign_up("anna").await;
    assert_eq!(user.next().await, 1);
    let hold = lock(&test, "default").await;
    let keyed = r#"mutation { next(input: { idempotencyKey: "k" }) { value } }"#;
    for write in [begin(&user, NEXT), begin(&user, keyed)] {
        let reply = write.await.expect("it ends");
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "UNAVAILABLE"), "{}", reply.body);
        assert_eq!(reply.header("retry-after"), "1");
    }
    assert_eq!(current(&user).await, 1, "reading waits for no lock");
    hold.release().await;
    assert_eq!(user.next().await, 2);
}

#[tokio::test]
async fn writes_that_wait_for_a_lock_are_bounded() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let test = TestApp::with_config(|config| {
        config.counters.queue = 40;
        config.database.answer_seconds = 300;
        config.http.request_seconds = 600;
    })
    .await;
    let user = test.sign_up("anna").await;
    let other = test.sign_up("bob").await;
    create(&user, r#"name: "locked""#).await;
    let hold = lock(&test, "locked").await;
    let mut waiting: Vec<_> = (0..10).map(|_| begin(&user, &next_of("locked"))).collect();
    // A counter has a quarter of the places.
    promptly(async {
        loop {
            let mut further = begin(&user, &next_of("locked"));
            match timeout(std::time::Duration::from_millis(100), &mut further).await {
                Ok(reply) => {
                    assert_eq!(reply.expect("it ends").code(), "UNAVAILABLE");
                    break;
                }
                Err(_) => waiting.push(further),
            }
        }
    })
    .await;
    assert!(waiting.len() <= 30, "{} wait", waiting.len());
    assert_eq!(promptly(other.next()).await, 1, "the others have places");
    hold.release().await;
    let count = waiting.len();
    let mut numbers = Vec::new();
    for write in waiting {
        numbers.extend(number(&write.await.expect("it ends")).ok());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, Vec::from_iter(1..=i64::try_from(numbers.len()).expect("few")), "of {count}");
    assert!(numbers.len() >= 10, "{numbers:?}");
}

#[tokio::test]
async fn a_lock_of_the_whole_table_delays_writes_and_fails_none() {
    if TestDatabase::backend() != Backend::Postgres {
        return;
    }
    let Some((test, user)) = patient().await else { return };
    let hold = Hold::of(&test, "LOCK TABLE counters IN SHARE MODE").await;
    let waiting: Vec<_> = (0..5).map(|_| begin(&user, NEXT)).collect();
    // Longer than the statements of the group commit wait.
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    hold.release().await;
    let mut numbers = Vec::new();
    for write in waiting {
        numbers.push(number(&write.await.expect("it ends")).expect("a number"));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_server_that_stops_answers_the_writes_that_wait_for_a_lock() {
    let Some((mut test, user)) = patient().await else { return };
    create(&user, r#"name: "locked""#).await;
    let connection =
        sea_orm::Database::connect(test.config.database.url.to_string()).await.expect("the database answers");
    let sql = format!("SELECT id FROM counters WHERE {} FOR UPDATE", is_row(&test, "locked").await);
    let transaction = connection.begin().await.expect("it begins");
    transaction.execute_unprepared(&sql).await.expect("a lock");
    let waiting = begin(&user, &next_of("locked"));
    assert!(promptly(async { number(&user.run(NEXT).await) }).await.is_ok());
    promptly(test.app.stop()).await;
    assert_eq!(promptly(waiting).await.expect("it ends").code(), "UNAVAILABLE");
    transaction.rollback().await.expect("it ends");
    connection.close().await.expect("it closes");
    test.restart().await;
    let user = test.bearer(user.token.as_deref());
    assert_eq!(number(&user.run(&next_of("locked")).await), Ok(1), "nothing was done");
    delete(&user, "locked").await.data();
}
