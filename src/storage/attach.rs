//! A storage is assigned to a database once, and recognized from then on.
//!
//! | database expects | marker in the storage | |
//! |---|---|---|
//! | this storage | of this storage | attached |
//! | a storage | another one, or none | refused |
//! | none | of this database | attached: a server crashed before the database knew |
//! | none | of another database | refused |
//! | none | none | first use: [`Blobs::assign`], if the caller finds that both belong together |
//!
//! The database's row is locked while the first marker is written, so servers that start at once
//! agree: the first one assigns its storage, and the others find theirs to be that one or not. An
//! object is written within a transaction here and nowhere else, once in the life of a database.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::{Error, one_line};
use crate::storage::identity::{Identity, StorageFault};
use crate::storage::{Backend, Blobs, record};
use crate::store::{Database, DatabaseTransaction};

impl Blobs {
    /// Recognizes the storage as the one that the database expects. From then on it can be written.
    ///
    /// # Errors
    /// The reason why it may not be used; [`StorageFault::Unassigned`] if neither the database nor
    /// the storage knows of the other.
    pub async fn attach(&self, database: &Database) -> Result<(), StorageFault> {
        let row = record::find(database.reader()).await.map_err(|error| self.unverified(&error))?;
        let Some(expected) = row.as_ref().and_then(record::Model::expected) else {
            let found = self.read_marker().await?.ok_or_else(|| self.unassigned())?;
            let database_id = row.map(|row| row.database_id);
            if database_id != Some(found.database_id) {
                return Err(StorageFault::OtherDatabase { place: self.place().to_owned(), database_id, found });
            }
            return self.assign(database).await;
        };
        let is_moved = expected.place != *self.recorded_place;
        self.guard.expect(Some(database.clone()), expected);
        self.verify().await?;
        if is_moved {
            self.describe(database).await;
        }
        Ok(())
    }

    /// Assigns this storage to a database that expects none. A folder is created.
    ///
    /// # Errors
    /// The errors of [`Blobs::attach`], if another server was first, and a storage that cannot be
    /// written.
    pub async fn assign(&self, database: &Database) -> Result<(), StorageFault> {
        if let Backend::Folder(folder) = &self.backend {
            folder.run(super::Folder::create).await.map_err(|error| self.unverified(&error))?;
        }
        let (blobs, database_id, storage_id) = (self.clone(), Uuid::now_v7(), Uuid::now_v7());
        // In a transaction of its own, so that the id stays if the next one fails.
        let known = database
            .write(move |transaction| Box::pin(async move { record::lock(transaction, database_id).await.map(drop) }));
        known.await.map_err(|error| self.unverified(&error))?;
        let assigned = database.write(move |transaction| {
            let blobs = blobs.clone();
            Box::pin(async move { blobs.assign_within(transaction, database_id, storage_id).await })
        });
        assigned.await.map_err(|error| self.unverified(&error))?;
        Box::pin(self.attach(database)).await
    }

    async fn assign_within(
        &self,
        transaction: &DatabaseTransaction,
        database_id: Uuid,
        storage_id: Uuid,
    ) -> Result<(), Error> {
        let row = record::lock(transaction, database_id).await?;
        if row.storage_id.is_some() {
            return Ok(());
        }
        let failed = |fault: StorageFault| Error::internal(fault);
        let own = Identity { database_id: row.database_id, storage_id };
        let found = match self.read_marker().await.map_err(failed)? {
            Some(found) => Some(found),
            None => {
                self.create_marker(own).await.map_err(failed)?;
                // Read back: a server of another database may have been faster.
                self.read_marker().await.map_err(failed)?
            }
        };
        match found {
            Some(found) if found.database_id == row.database_id => {
                record::assign(transaction, found.storage_id, &self.recorded_place).await
            }
            // `attach` finds the storage to be another database's.
            Some(_) => Ok(()),
            None => Err(Error::internal(anyhow::anyhow!("{} does not keep what is written", self.place()))),
        }
    }

    /// Assigns this storage to the database, in place of earlier assignments of both.
    /// Running servers that use another storage stop writing to it.
    ///
    /// # Errors
    /// A storage or a database that cannot be written.
    pub async fn adopt(&self, database: &Database) -> Result<Identity, StorageFault> {
        let (place, database_id, storage_id) = (Arc::clone(&self.recorded_place), Uuid::now_v7(), Uuid::now_v7());
        let known =
            database.write(move |transaction| Box::pin(async move { record::lock(transaction, database_id).await }));
        let row = known.await.map_err(|error| self.unverified(&error))?;
        let identity = Identity { database_id: row.database_id, storage_id };
        // If only the marker is written, the storage is refused and can be adopted again.
        self.replace_marker(identity).await?;
        let assigned = database.write(move |transaction| {
            let place = place.clone();
            Box::pin(async move { record::assign(transaction, storage_id, &place).await })
        });
        assigned.await.map_err(|error| self.unverified(&error))?;
        self.attach(database).await.map(|()| identity)
    }

    /// Keeps the present description of the storage, which only messages use.
    async fn describe(&self, database: &Database) {
        let place = Arc::clone(&self.recorded_place);
        let described = database.write(move |transaction| {
            let place = place.clone();
            Box::pin(async move { record::describe(transaction, &place).await })
        });
        if let Err(error) = described.await {
            tracing::warn!(error = error.reason(), "the description of the storage was not updated");
        }
    }

    async fn create_marker(&self, identity: Identity) -> Result<(), StorageFault> {
        let content = self.marker(identity)?;
        match &self.backend {
            Backend::Folder(folder) => {
                let created = folder.run(move |folder| folder.create_marker(&content)).await;
                created.map_err(|error| self.unverified(&error))
            }
            Backend::S3(s3) => s3.create_marker(content).await.map_err(|fault| self.unverified_because(fault.reason())),
        }
    }

    async fn replace_marker(&self, identity: Identity) -> Result<(), StorageFault> {
        let content = self.marker(identity)?;
        match &self.backend {
            Backend::Folder(folder) => {
                let replaced = folder.run(move |folder| folder.write(super::MARKER, &content)).await;
                replaced.map_err(|error| self.unverified(&error))
            }
            Backend::S3(s3) => {
                s3.replace_marker(content).await.map_err(|fault| self.unverified_because(fault.reason()))
            }
        }
    }

    fn marker(&self, identity: Identity) -> Result<Vec<u8>, StorageFault> {
        identity.to_marker().map_err(|error| self.unverified_because(one_line(error.as_ref())))
    }
}
