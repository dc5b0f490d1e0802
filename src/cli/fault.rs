//! What a verb refuses, as the person at the terminal reads it.

use anyhow::anyhow;

use crate::cli::terminal::visible;
use crate::error::{Error, UserError};

/// The error for the person at the terminal, with its cause.
#[expect(clippy::needless_pass_by_value, reason = "a function for `map_err`")]
pub(super) fn fault(error: Error) -> anyhow::Error {
    match &error {
        Error::Internal(cause) => anyhow!("{cause}"),
        Error::Invalid(faults) => anyhow!(faults.iter().map(line).collect::<Vec<_>>().join("\n")),
        error => match error.cause() {
            Some(cause) => anyhow!("{} The cause: {cause}", error.message()),
            None => anyhow!(error.message()),
        },
    }
}

/// `field: message`; without a field where none is at fault, or the one that the command line calls WHO.
pub(super) fn line(fault: &UserError) -> String {
    let message = visible(&fault.message);
    match field(fault) {
        Some(field) => format!("{}: {message}", visible(field)),
        None => message.into_owned(),
    }
}

/// The name of the field that is at fault.
pub(super) fn field(fault: &UserError) -> Option<&str> {
    let name = fault.field.as_ref()?.last()?;
    (!["input", "userId"].contains(&name.as_str())).then_some(name)
}
