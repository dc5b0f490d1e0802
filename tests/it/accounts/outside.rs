//! What another program writes to the database counts for the running server within a moment.

use std::time::Instant;

use cloakroom::config::{Config, Overrides};
use sea_orm::{ConnectionTrait as _, Database};

use crate::support::{PATIENCE, Process, TestDatabase};

/// Longer than it takes to notice, on a busy machine too.

#[tokio::test]
async fn a_suspension_by_another_program_is_noticed_by_the_server() {
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
    let _database = TestDatabase::create(&mut config).await;
    let server = Process::start(data_dir.path(), |command| {
        command.env("CLOAKROOM__DATABASE__URL", config.database.url.to_string());
    });
    let (anna, bert) = (server.sign_up("anna").await, server.sign_up("bert").await);
    assert!(is_welcome(&server, &anna).await && is_welcome(&server, &bert).await);

    let url = match config.database.url.to_string().as_str() {
        "" => format!("sqlite://{}?mode=rw", data_dir.path().join("cloakroom.db").display()),
        url => url.to_owned(),
    };
    let other = Database::connect(url).await.expect("the database opens");
    let suspend = "UPDATE users SET suspended_at = created_at WHERE username_key = 'anna'";
    other.execute_unprepared(suspend).await.expect("it is written");
    let began = Instant::now();
    while is_welcome(&server, &anna).await {
        assert!(began.elapsed() < PATIENCE, "it was not noticed");
    }
    assert!(is_welcome(&server, &bert).await);
    let reinstate = "UPDATE users SET suspended_at = NULL";
    other.execute_unprepared(reinstate).await.expect("it is written");
    while !is_welcome(&server, &anna).await {
        assert!(began.elapsed() < 2 * PATIENCE, "its end was not noticed");
    }
}

async fn is_welcome(server: &Process, token: &str) -> bool {
    let answer = server.run(Some(token), "{ current }").await.expect("an answer");
    answer["data"]["current"].is_number()
}
