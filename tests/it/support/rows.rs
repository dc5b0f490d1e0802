//! How much the database holds: whoever says that nothing was written can show it.

use cloakroom::accounts::{session, user};
use cloakroom::counters::counter;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use super::TestApp;

/// How many rows there are of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    pub users: u64,
    pub sessions: u64,
    pub counters: u64,
}

impl TestApp {
    /// What the database holds now.
    pub async fn rows(&self) -> Rows {
        let reader = self.app.database.reader();
        Rows {
            users: user::Entity::find().count(reader).await.expect("users are counted"),
            sessions: session::Entity::find().count(reader).await.expect("sessions are counted"),
            counters: counter::Entity::find().count(reader).await.expect("counters are counted"),
        }
    }
}
