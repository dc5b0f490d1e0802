//! Payloads of mutations.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::error::{Error, UserError};

/// Runs the operation of a mutation and builds its payload from the result or from the user errors.
///
/// Any other error is the error of the field. The field is nullable, so async-graphql stops the error
/// there, and the response keeps the results of the other fields.
///
/// The operation is boxed: async-graphql resolves all mutations in one future, which otherwise has the
/// size of the largest operation (6.6 kB) for each `next` that waits.
pub fn payload<'a, T, P: 'a>(
    operation: impl Future<Output = Result<T, Error>> + Send + 'a,
    build: impl FnOnce(Option<T>, Vec<UserError>) -> P + Send + 'a,
) -> BoxFuture<'a, Option<Result<P, Error>>> {
    let payload = operation.map(|result| match result {
        Ok(value) => Ok(build(Some(value), Vec::new())),
        Err(Error::Invalid(user_errors)) => Ok(build(None, user_errors)),
        Err(error) => Err(error),
    });
    payload.map(Some).boxed()
}
