//! Requests with files, after the GraphQL multipart request specification, version 2.
//!
//! A form has the part `operations` with the request as JSON, then `map`, which says whose place in the variables each
//! file takes, then the files. All is read in this order and nothing is kept in memory but the first two: a file goes
//! to the folder of uploads as it arrives, and is cut off at its limit.
//!
//! A page of another site can send forms without asking first. Only a header tells that it has asked; whoever sends
//! none is refused, whatever the rights would be.
//!
//! **Invariant:** who may send no files is refused before the first byte of the body is read.
//! **Invariant:** names of files and their claimed types are not even looked at.

mod linger;
mod map;
mod parts;
mod refusal;

use std::pin::pin;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::caller::Caller;
use crate::config::Config;
use crate::error::Error;
use crate::http::callers::{Callers, Place};
use crate::http::memory_budget::{Charge, FREE_BYTES, Owner};
use crate::http::parameters::{self, Parameters};
use crate::upload::{Arriving, Folder, ReceivedFile, Uploads};

pub(super) use linger::Lingering;
pub(super) use refusal::Refusal;

use map::{Map, shown};
use parts::{MAX_HEAD_BYTES, Part, Parts};

/// Headers that no page sends to another site without asking first, and which mean nothing else here.
pub(super) const PREFLIGHT: [HeaderName; 3] = [
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("x-apollo-operation-name"),
    HeaderName::from_static("graphql-preflight"),
];
/// The largest `map`: a line for each of a hundred files is far less.
const MAX_MAP_BYTES: usize = 64 * 1024;
/// The time without bytes after which what there is of a file leaves the memory.
const IDLE: Duration = Duration::from_millis(500);

/// What a form consists of.
pub(super) struct Form {
    pub(super) parameters: Parameters,
    pub(super) uploads: Uploads,
    /// Its sender's, until it is answered: whoever is done sending has others work.
    pub(super) place: Option<Place>,
    /// For the memory that the parameters take.
    pub(super) charge: Charge,
}

/// Receives forms.
///
/// A form that waits for its sender takes nothing but its connection and its file: so many bytes as have arrived are
/// written, so many forms' at once, and the others wait for their turn.
pub(super) struct Intake {
    folder: Folder,
    turns: Semaphore,
    callers: Callers,
    time: Duration,
    max_operations_bytes: usize,
    max_files: usize,
    max_file_bytes: u64,
}

/// Refuses what a page of another site may have sent without asking first.
///
/// # Errors
/// [`Refusal::Unasked`] without any header that makes a browser ask.
pub(super) fn require_preflight(headers: &HeaderMap) -> Result<(), Refusal> {
    let asked = headers.contains_key(header::AUTHORIZATION) || PREFLIGHT.iter().any(|name| headers.contains_key(name));
    if asked { Ok(()) } else { Err(Refusal::Unasked) }
}

impl Intake {
    pub(super) fn new(folder: Folder, config: &Config) -> Self {
        let photos = &config.photos;
        Self {
            folder,
            turns: Semaphore::new(photos.max_uploads.min(Semaphore::MAX_PERMITS)),
            callers: Callers::new(photos.max_uploads_per_user),
            time: Duration::from_secs(photos.upload_seconds),
            max_operations_bytes: config.http.max_body_bytes,
            max_files: photos.max_per_upload,
            max_file_bytes: photos.max_bytes,
        }
    }

    /// How long a form may take to arrive.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// Reads a form of which at least `length` bytes are to come, with its files on the disk.
    ///
    /// # Errors
    /// No such form, beyond a limit, too slow, or too many of one user. Nothing is left of its files.
    pub(super) async fn receive<S>(
        &self,
        caller: &Caller,
        body: S,
        length: u64,
        boundary: &str,
        mut charge: Charge,
    ) -> Result<Form, Refusal>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
    {
        let most = self.max_form_bytes();
        if length > most {
            return Err(Refusal::TooLarge(format!("The body of a request with files has at most {most} bytes.")));
        }
        let own_place = self.callers.enter(caller)?;
        charge.settle(Owner::of_caller(caller), 0)?;
        match tokio::time::timeout(self.time, self.read(Parts::new(body, boundary), charge)).await {
            Ok(Ok(form)) => Ok(Form { place: Some(own_place), ..form }),
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => Err(Refusal::TooSlow("The files took too long to arrive.".to_owned())),
        }
    }

    /// What all limits allow together.
    fn max_form_bytes(&self) -> u64 {
        let files = (self.max_files as u64).saturating_mul(self.max_file_bytes.saturating_add(MAX_HEAD_BYTES as u64));
        let texts = self.max_operations_bytes.saturating_add(MAX_MAP_BYTES + 2 * MAX_HEAD_BYTES);
        files.saturating_add(texts as u64)
    }

    async fn read(&self, mut parts: Parts, mut charge: Charge) -> Result<Form, Refusal> {
        let operations = parts.text("operations", self.max_operations_bytes, &mut charge).await?;
        let mut parameters = parameters::parse(&operations).map_err(Refusal::malformed)?;
        drop(operations);
        charge.resize(parameters.memory_bytes().saturating_sub(FREE_BYTES))?;
        let map = Map::parse(&parts.text("map", MAX_MAP_BYTES, &mut charge).await?, self.max_files)?;
        map.fill(&mut parameters.variables)?;
        let mut files: Vec<Option<ReceivedFile>> = (0..map.files()).map(|_| None).collect();
        while let Some(part) = parts.next().await? {
            let name = part.name().unwrap_or_default();
            let Some(number) = map.number(name) else {
                return Err(Refusal::malformed(format!("`map` has no file `{}`.", shown(name))));
            };
            let Some(place) = files.get_mut(number).filter(|place| place.is_none()) else {
                return Err(Refusal::malformed(format!("The file `{}` is sent twice.", shown(name))));
            };
            *place = Some(self.keep(part, &map.place(number)).await?);
        }
        if let Some(number) = files.iter().position(Option::is_none) {
            return Err(Refusal::malformed(format!("The file for `{}` was not sent.", map.place(number))));
        }
        Ok(Form { parameters, uploads: files.into_iter().flatten().collect(), place: None, charge })
    }

    /// Writes a file to the folder; `place` is where in the variables it belongs.
    async fn keep(&self, mut part: Part, place: &str) -> Result<ReceivedFile, Refusal> {
        let mut file = self.folder.receive();
        while let Some(chunk) = self.next_chunk(&mut part, &mut file).await? {
            if file.bytes().saturating_add(chunk.len() as u64) > self.max_file_bytes {
                let limit = self.max_file_bytes;
                return Err(Refusal::TooLarge(format!(
                    "The file for `{place}` has more than {limit} bytes, the limit of a file."
                )));
            }
            let _turn = self.turn().await?;
            file.write(&chunk).await.map_err(Error::from_disk)?;
        }
        let _turn = self.turn().await?;
        Ok(file.finish().await.map_err(Error::from_disk)?)
    }

    /// More of the part. What has arrived of the file leaves the memory if nothing comes for a while.
    async fn next_chunk(&self, part: &mut Part, file: &mut Arriving) -> Result<Option<Bytes>, Refusal> {
        let mut chunk = pin!(part.chunk());
        if let Ok(chunk) = tokio::time::timeout(IDLE, &mut chunk).await {
            return chunk;
        }
        let turn = self.turn().await?;
        file.release().await.map_err(Error::from_disk)?;
        drop(turn);
        chunk.await
    }

    /// Waits for the turn to write.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.turns.acquire().await.map_err(Error::internal)
    }
}
