//! Files that came with a request: from the HTTP layer, which receives them, to the verb that takes them.
//!
//! A file is written to a [`Folder`] while it arrives. Its place in the variables is taken by a value of a kind that
//! neither JSON nor GraphQL's own literals can express: its number among the files of this request. A resolver gets
//! that as an [`Upload`], and the file itself from the request's [`Uploads`].
//!
//! **Invariant:** a client reaches the files of its own request only, through the parts that it sent.
//! **Invariant:** what the client calls a file, and what type it claims, goes no further than the HTTP layer.
//! **Invariant:** a file is gone when the request that brought it is over, however it ends.

mod folder;

use std::path::Path;
use std::sync::Arc;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use bytes::Bytes;
use tempfile::TempPath;

use crate::caller::{Caller, Scope};
use crate::error::Error;

pub use folder::{Arriving, Folder};

/// What a client hears that sends something else in a file's place.
const NO_FILE: &str = "A file is sent as its own part of a multipart request (GraphQL multipart request \
                       specification, version 2): in `operations` its place is null.";

/// Whether this caller may send files at all: asked before the first byte of them is read. The verb that takes them
/// asks again.
///
/// # Errors
/// [`Error::Unauthenticated`] when nobody is signed in; [`Error::Forbidden`] for an API key without the scope.
pub fn require_sender(caller: &Caller) -> Result<(), Error> {
    caller.require(Scope::PhotosWrite).map(drop)
}

/// A file that has arrived whole; removed when this is dropped.
#[derive(Debug)]
pub struct ReceivedFile {
    path: TempPath,
    bytes: u64,
}

impl ReceivedFile {
    /// The file of `bytes` bytes at this path, which is given up.
    #[must_use]
    pub fn new(path: TempPath, bytes: u64) -> Self {
        Self { path, bytes }
    }

    /// Where it is, under a name of our own.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The files of one request, in the order in which its `map` names them. A request without any has none.
#[derive(Clone, Debug, Default)]
pub struct Uploads(Arc<[Arc<ReceivedFile>]>);

impl Uploads {
    /// The file that `upload` stands for: the same one for several variables, if the client mapped it so.
    ///
    /// # Errors
    /// [`Error::BadInput`] if this request brought no such file.
    pub fn file(&self, upload: &Upload) -> Result<Arc<ReceivedFile>, Error> {
        self.0.get(upload.0).cloned().ok_or_else(|| Error::BadInput(NO_FILE.to_owned()))
    }
}

impl FromIterator<ReceivedFile> for Uploads {
    fn from_iter<I: IntoIterator<Item = ReceivedFile>>(files: I) -> Self {
        Self(files.into_iter().map(Arc::new).collect())
    }
}

/// A file's number among those of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload(usize);

impl Upload {
    /// The file with this number.
    #[must_use]
    pub fn numbered(number: usize) -> Self {
        Self(number)
    }
}

/// A file, sent as its own part of a multipart request (GraphQL multipart request specification, version 2): its
/// place in the variables is null. Anything else in that place is `BAD_USER_INPUT`.
#[Scalar(name = "Upload", specified_by_url = "https://github.com/jaydenseric/graphql-multipart-request-spec")]
impl ScalarType for Upload {
    /// No `is_valid` before it: the validation would refuse other values too, but could not say what to do instead.
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            // Neither JSON nor a literal becomes one.
            Value::Binary(number) => number.as_ref().try_into().ok().map(usize::from_be_bytes),
            _ => None,
        };
        number.map(Self).ok_or_else(|| InputValueError::custom(NO_FILE))
    }

    fn to_value(&self) -> Value {
        Value::Binary(Bytes::copy_from_slice(&self.0.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_client_can_write_stands_for_a_file() {
        let own = Upload::numbered(3);
        let value = own.to_value();
        assert_eq!(<Upload as ScalarType>::parse(value.clone()).ok(), Some(own));
        // What the token looks like where it is shown, and what else might be taken for it.
        let shown = serde_json::to_string(&value).expect("JSON");
        for json in
            [shown.as_str(), "null", "3", "\"3\"", "\"\"", "\"\\u0000\\u0003\"", "[3]", "{\"binary\":[3]}", "true"]
        {
            let sent: Value = serde_json::from_str(json).expect("JSON");
            assert!(!matches!(sent, Value::Binary(_)), "{json}");
            assert!(<Upload as ScalarType>::parse(sent).is_err(), "{json}");
        }
        for wrong in [&b""[..], b"\x03", &[0; 9], &[0xff; 16]] {
            assert!(<Upload as ScalarType>::parse(Value::Binary(Bytes::copy_from_slice(wrong))).is_err());
        }
    }

    #[test]
    fn a_request_has_its_own_files_only() {
        let none = Uploads::default();
        assert!(matches!(none.file(&Upload::numbered(0)), Err(Error::BadInput(_))));
        let path = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        let one: Uploads = [ReceivedFile::new(path, 0)].into_iter().collect();
        assert!(one.file(&Upload::numbered(0)).is_ok());
        assert!(matches!(one.file(&Upload::numbered(1)), Err(Error::BadInput(_))));
        let place = one.file(&Upload::numbered(0)).map(|file| file.path().to_owned()).expect("a file");
        assert!(place.exists());
        drop(one);
        assert!(!place.exists(), "it is gone with the request");
    }
}
