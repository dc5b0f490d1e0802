//! The counters of a user, for an export.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};
use serde_json::{Value, json};

use crate::accounts::export::{ExportUser, Items, PAGE_ROWS, Request, Section, paged, rows};
use crate::clock::rfc3339;
use crate::counters::{Counters, answer, counter};
use crate::id::{CounterId, UserId};
use crate::store::DatabaseReader;

impl ExportUser for Counters {
    fn export_user(&self, request: &Request) -> Vec<Section<'_>> {
        let (reader, user) = (self.database.reader(), request.user);
        // Without deleted ones, which have lost their names and are purged within a minute.
        let counters = counter::of(user);
        vec![
            Section::list("counters", rows(reader, counters, counter::Column::Id, |row| (row.id, of_counter(row)))),
            Section::list("counterRecords", records(reader, user)),
        ]
    }
}

/// The results of `next` and `setCurrent` that are kept for retries.
fn records(reader: &DatabaseReader, user: UserId) -> Items<'_> {
    paged(move |after: Option<(CounterId, String)>| {
        let counters = Query::select()
            .column(counter::Column::Id)
            .from(counter::Entity)
            .and_where(counter::Column::UserId.eq(user))
            .and_where(counter::Column::DeletedAt.is_null())
            .take();
        let following = after.map(|(counter, key)| {
            let in_counter = answer::Column::CounterId.eq(counter);
            let later_key = Condition::all().add(in_counter).add(answer::Column::Key.gt(key));
            Condition::any().add(answer::Column::CounterId.gt(counter)).add(later_key)
        });
        let page = answer::Entity::find()
            .filter(Condition::all().add(answer::Column::CounterId.in_subquery(counters)).add_option(following))
            .order_by_asc(answer::Column::CounterId)
            .order_by_asc(answer::Column::Key)
            .limit(PAGE_ROWS as u64);
        Box::pin(async move {
            let rows = page.all(reader).await?;
            let last = rows.last().filter(|_| rows.len() >= PAGE_ROWS).map(|row| (row.counter_id, row.key.clone()));
            Ok((rows.iter().map(of_record).collect(), last))
        })
    })
}

fn of_counter(counter: &counter::Model) -> Value {
    json!({
        "id": counter.id.to_string(),
        "name": counter.name,
        "current": counter.current,
        "step": counter.step,
        "max": counter.max,
        "idempotencyRecords": counter.idempotency_records,
        "createdAt": rfc3339(counter.created_at),
        "updatedAt": rfc3339(counter.updated_at),
    })
}

fn of_record(record: &answer::Model) -> Value {
    json!({
        "counterId": record.counter_id.to_string(),
        "key": record.key,
        "count": record.count,
        "setTo": record.set_to,
        "ifCurrent": record.if_current,
        "previous": record.previous,
        "current": record.current,
        "createdAt": rfc3339(record.created_at),
    })
}
