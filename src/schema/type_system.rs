//! The types that documents and variables are checked against: those of the schema, with the rules of its scalars.

use std::sync::LazyLock;

use async_graphql::{InputType, Pos, ScalarType, ServerError, Value};
use documents::{InvalidSchema, TypeSystem};

use crate::error::ErrorCode;
use crate::scalars::{DateTime, SafeInt, Url};
use crate::schema::document::refusal;
use crate::upload::Upload;

static TYPES: LazyLock<Result<TypeSystem, InvalidSchema>> = LazyLock::new(|| {
    let sdl = super::builder(true).finish().sdl();
    TypeSystem::new(
        &sdl,
        &[
            ("DateTime", by_rule::<DateTime>),
            ("SafeInt", by_rule::<SafeInt>),
            ("URL", by_rule::<Url>),
            ("Upload", by_rule::<Upload>),
        ],
    )
});

/// The types, read once. They are those of the program, so that they can always be read; were it otherwise, each
/// request would fail as a bug.
pub(super) fn get() -> Result<&'static TypeSystem, ServerError> {
    TYPES.as_ref().map_err(|InvalidSchema(reason)| refusal(ErrorCode::InternalServerError, reason.clone()))
}

/// A value as the scalar's own implementation reads it.
fn by_rule<S: ScalarType + InputType>(value: Value) -> Result<Value, String> {
    let scalar = <S as ScalarType>::parse(value).map_err(|error| {
        let message = error.into_server_error(Pos::default()).message;
        // The type is named by whoever asks.
        message.strip_prefix(&format!("Failed to parse \"{}\": ", S::type_name())).unwrap_or(&message).to_owned()
    })?;
    Ok(ScalarType::to_value(&scalar))
}
