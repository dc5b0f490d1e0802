//! The scalars of the schema that GraphQL itself does not have.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::Datelike as _;

use crate::clock::rfc3339;

/// The greatest integer that every JavaScript client holds exactly: 2^53 - 1.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// A moment in UTC, as RFC 3339 writes it, with microseconds and ending in `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<chrono::Utc>);

/// A moment in UTC, as RFC 3339 writes it, ending in `Z`.
#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        moment(text).map(Self).ok_or_else(|| {
            InputValueError::custom("A DateTime is written as in RFC 3339, such as 2026-01-31T12:00:00Z.")
        })
    }

    /// So that the validation refuses what `parse` would, before any field has run.
    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(rfc3339(self.0))
    }
}

impl From<chrono::DateTime<chrono::Utc>> for DateTime {
    fn from(moment: chrono::DateTime<chrono::Utc>) -> Self {
        Self(moment)
    }
}

/// In whole microseconds, the finest step that every database keeps. An offset can lead out of the years that RFC 3339
/// can write, and a leap second is the second after it.
fn moment(text: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    let moment = chrono::DateTime::from_timestamp_micros(moment.timestamp_micros())?;
    (0..=9999).contains(&moment.year()).then_some(moment)
}

/// An integer from -(2^53 - 1) to 2^53 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafeInt(i64);

impl SafeInt {
    /// The integer itself.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

/// The store never holds more than [`MAX_SAFE_INTEGER`]; should it, the nearest end is shown.
impl From<i64> for SafeInt {
    fn from(integer: i64) -> Self {
        Self(integer.clamp(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER))
    }
}

/// An integer from -(2^53 - 1) to 2^53 - 1, sent as a JSON number: every JavaScript client holds it exactly.
#[Scalar(name = "SafeInt", specified_by_url = "https://the-guild.dev/graphql/scalars/docs/scalars/safe-int")]
impl ScalarType for SafeInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let integer = match &value {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            _ => return Err(InputValueError::expected_type(value)),
        };
        integer.filter(|integer| integer.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs()).map(Self).ok_or_else(|| {
            InputValueError::custom("A SafeInt is a whole number from -9007199254740991 to 9007199254740991.")
        })
    }

    /// So that the validation refuses what `parse` would, before any field has run.
    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// JavaScript may write an integer as `1e3` or `1.0`; within the safe range the conversion is exact.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within the safe range")]
fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64)
}

/// An absolute URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub String);

/// An absolute URL.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if url::Url::parse(&text).is_ok() => Ok(Self(text)),
            Value::String(_) => Err(InputValueError::custom("This is no absolute URL.")),
            value => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_to_the_microsecond_and_within_the_years_that_can_be_written() {
        let read = |text: &str| moment(text).map(rfc3339);
        assert_eq!(read("2026-11-20T13:00:00.1234567+01:00").as_deref(), Some("2026-11-20T12:00:00.123456Z"));
        assert_eq!(read("2016-12-31T23:59:60Z").as_deref(), Some("2017-01-01T00:00:00.000000Z"));
        for bad in ["9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00", "2026-11-20", "2026-02-30T00:00:00Z", ""]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn safe_int_takes_whole_numbers_within_the_range_and_nothing_else() {
        let parse = |json: &str| {
            let value: Value = serde_json::from_str(json).ok()?;
            <SafeInt as ScalarType>::parse(value).ok().map(SafeInt::get)
        };
        assert_eq!(parse("9007199254740991"), Some(MAX_SAFE_INTEGER));
        assert_eq!(parse("-9007199254740991"), Some(-MAX_SAFE_INTEGER));
        assert_eq!(parse("1e3"), Some(1000));
        assert_eq!(parse("5.0"), Some(5));
        for bad in
            ["9007199254740992", "-9007199254740992", "1.5", "1e300", "\"1\"", "true", "null", "18446744073709551615"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
