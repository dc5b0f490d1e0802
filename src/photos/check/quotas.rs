//! Whether each user's used bytes are the sum of what is stored.

use crate::error::Error;
use crate::photos::check::{Check, Finding, Outcome, PAGE};
use crate::photos::storage_use;

impl<T: FnMut(&Finding, &Outcome)> Check<'_, T> {
    pub(super) async fn quotas(&mut self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = storage_use::list_counted(self.photos.database.reader(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.user_id);
            self.tally.quotas.seen += page.len() as u64;
            for counted in page.into_iter().filter(storage_use::Counted::is_wrong) {
                let (user, mut outcome) = (counted.user_id, Outcome::Told);
                if self.options.repair {
                    let recount = self.photos.database.write(move |transaction| {
                        Box::pin(async move { storage_use::recount(transaction, user).await })
                    });
                    recount.await?;
                    outcome = Outcome::Repaired;
                }
                let finding = Finding::Quota {
                    username: counted.username,
                    used_bytes: counted.used_bytes,
                    stored_bytes: counted.stored_bytes,
                };
                self.found(|tally| &mut tally.quotas, &finding, &outcome);
            }
        }
    }
}
