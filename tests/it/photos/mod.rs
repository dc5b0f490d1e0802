//! Photos: from a file to clean pictures, where they are kept, how they are served, and what people do with them.

mod api;
mod blobs;
pub mod corpus;
mod identity;
mod picture;
mod quarantine;
mod serving;
mod slow_readers;
mod stalled_storage;
mod storage_faults;
mod sweep;
