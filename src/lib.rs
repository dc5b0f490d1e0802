//! Cloakroom: accounts, gap-free numbers and photos behind one GraphQL schema, from one binary.
//!
//! # Code map, in reading order
//!
//! 1. [`config`]: every setting, read and checked once; [`cli`]: one file a command.
//! 2. [`app`]: everything wired once. A slice is a struct that owns what it needs and whose verbs are its
//!    methods: `app.counters.next(&caller)`.
//! 3. [`accounts`]: people and their sessions. [`counters`]: their numbers. [`photos`]: their pictures. Each has the
//!    same silhouette: story, entities, one verb a file, loader, `graphql.rs`.
//! 4. [`store`]: the database, one way to read and one to write.
//!    [`storage`]: the photos' files, on disk or in S3.
//!    [`mail`]: letters to people, through a mail server or into a folder. [`backup`]: all of it in a folder, and back.
//! 5. [`schema`]: the slices' parts merged, and the limits of an operation.
//! 6. [`http`]: the route table, GraphQL over HTTP, over WebSockets and as event streams, the playground.
//! 7. The alphabet: [`caller`] (who asks), [`error`] (what can go wrong), [`payload`] (results of
//!    mutations), [`id`], [`page`], [`scalars`], [`clock`], [`upload`] (files that came with a request),
//!    [`data_dir`] (folders that are created once), [`batching`] (many questions, one statement).
//!
//! # Who may know whom
//!
//! ```text
//! main → cli → http → schema → { app, backup } → { photos, counters } → accounts
//!      → { storage, mail } → store → { config, clock, error, payload, caller, id, page, scalars, data_dir,
//!      upload, batching }
//! ```
//!
//! **Invariant:** there are no circles, and nothing points to the left; `tests/it/tidy.rs` keeps it so.
//! **Invariant:** verbs and entities know nothing of GraphQL or HTTP; authorisation is in the verbs.
//!
//! # The road of one request
//!
//! `http/graphql.rs` reads headers and body; `http/authorization.rs` turns the token into a `Caller` →
//! `schema` parses, weighs and executes → `counters/graphql.rs` calls a verb → `counters/next.rs` authorises
//! and does it → `store` commits.

pub mod accounts;
pub mod app;
pub mod backup;
pub mod batching;
pub mod caller;
pub mod cli;
pub mod clock;
pub mod config;
pub mod counters;
pub mod data_dir;
pub mod error;
pub mod http;
pub mod id;
pub mod mail;
pub mod page;
pub mod payload;
pub mod photos;
pub mod scalars;
pub mod schema;
pub mod storage;
pub mod store;
pub mod upload;
