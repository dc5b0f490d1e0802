//! `variables` and `extensions`: JSON objects with a bounded number of values.
//!
//! A value in memory takes many times the bytes of its JSON: `{"":0}` some 500. So values are
//! counted while they are read, and beyond the limit they are skipped instead of built.

use std::cell::Cell;
use std::fmt;

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Value, Variables};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// JSON values in the variables of a request, those inside lists and objects included. Extensions
/// may have as many.
const MAX_VALUES: usize = 10_000;

/// Bytes of a value, and of its place in a list or object that has grown to twice its length.
const VALUE_BYTES: usize = 2 * size_of::<Value>();
/// Bytes of a list's or object's own allocations.
const CONTAINER_BYTES: usize = 384;
/// Bytes of an object's field beside its value: hash, index and name.
const FIELD_BYTES: usize = 96;

/// The values of a JSON object, or `null` for none.
#[derive(Default)]
pub(super) struct BoundedObject {
    variables: Variables,
    is_excessive: bool,
}

/// The object has more than [`MAX_VALUES`] values.
pub(super) struct TooManyValues;

impl TooManyValues {
    /// The message for the client.
    pub(super) fn message(name: &str) -> String {
        format!(
            "`{name}` has more than {MAX_VALUES} JSON values, the limit of one request. Send fewer, in several requests."
        )
    }
}

impl BoundedObject {
    /// The values.
    ///
    /// # Errors
    /// [`TooManyValues`] if there are more than the limit.
    pub(super) fn into_variables(self) -> Result<Variables, TooManyValues> {
        if self.is_excessive { Err(TooManyValues) } else { Ok(self.variables) }
    }
}

/// Bytes of memory that the values take.
pub(super) fn memory_bytes(variables: &Variables) -> usize {
    let fields = variables.iter().map(|(name, value)| FIELD_BYTES + name.len() + value_bytes(value));
    fields.fold(0, usize::saturating_add)
}

/// Recurses as deep as serde_json has read, 128 levels at most.
fn value_bytes(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Binary(bytes) => bytes.len(),
        Value::Enum(name) => name.len(),
        Value::List(values) => values.iter().map(value_bytes).fold(CONTAINER_BYTES, usize::saturating_add),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| FIELD_BYTES + name.len() + value_bytes(value));
            fields.fold(CONTAINER_BYTES, usize::saturating_add)
        }
        Value::Null | Value::Number(_) | Value::Boolean(_) => 0,
    };
    inside.saturating_add(VALUE_BYTES)
}

/// Counts values up to the limit.
#[derive(Default)]
struct Counter(Cell<usize>);

impl Counter {
    /// Counts one more; returns false if it is one too many.
    fn count(&self) -> bool {
        self.0.set(self.0.get().saturating_add(1));
        !self.is_exceeded()
    }

    fn is_exceeded(&self) -> bool {
        self.0.get() > MAX_VALUES
    }
}

impl<'de> Deserialize<'de> for BoundedObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = BoundedObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E: Error>(self) -> Result<BoundedObject, E> {
                Ok(BoundedObject::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<BoundedObject, A::Error> {
                let (counter, mut variables) = (Counter::default(), Variables::default());
                while let Some((name, value)) = next_field(&mut fields, &counter)? {
                    variables.insert(name, value);
                }
                Ok(match counter.is_exceeded() {
                    true => BoundedObject { variables: Variables::default(), is_excessive: true },
                    false => BoundedObject { variables, is_excessive: false },
                })
            }
        }

        deserializer.deserialize_any(Fields)
    }
}

/// The next field of an object; those beyond the limit are skipped.
fn next_field<'de, A: MapAccess<'de>>(fields: &mut A, counter: &Counter) -> Result<Option<(Name, Value)>, A::Error> {
    if !counter.is_exceeded() {
        let Some(name) = fields.next_key()? else { return Ok(None) };
        return Ok(Some((name, fields.next_value_seed(CountedValue(counter))?)));
    }
    while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(None)
}

/// Builds a value as async-graphql does, and counts it.
struct CountedValue<'c>(&'c Counter);

impl<'de> DeserializeSeed<'de> for CountedValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0.count() {
            true => deserializer.deserialize_any(self),
            false => IgnoredAny::deserialize(deserializer).map(|_| Value::Null),
        }
    }
}

impl<'de> Visitor<'de> for CountedValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while !self.0.is_exceeded() {
            match elements.next_element_seed(CountedValue(self.0))? {
                Some(value) => values.push(value),
                None => return Ok(Value::List(values)),
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = IndexMap::new();
        while let Some((name, value)) = next_field(&mut fields, self.0)? {
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Result<Variables, ()>> {
        let object: BoundedObject = serde_json::from_str(json).ok()?;
        Some(object.into_variables().map_err(drop))
    }

    #[test]
    fn values_are_what_async_graphql_reads() {
        for json in [
            "null",
            "{}",
            r#"{"a": null, "b": [1, -2, 3.5, 1e300, 18446744073709551615, true, "text\u0000é"]}"#,
            r#"{"a": {"b": {"c": [[], {}, {"": 0, "": 1}]}}, "a": 2}"#,
        ] {
            let expected: Variables = serde_json::from_str(json).expect("JSON");
            assert_eq!(read(json), Some(Ok(expected)), "{json}");
        }
        for wrong in ["[]", "1", "\"x\"", "true", "{", r#"{"a": [1}"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn values_are_counted_wherever_they_are() {
        let list = |unit: &str, count| format!(r#"{{"x": [{}]}}"#, vec![unit; count].join(","));
        let fields = |count| {
            let fields: Vec<String> = (0..count).map(|number| format!(r#""x{number}": 0"#)).collect();
            format!("{{{}}}", fields.join(","))
        };
        for (fits, too_many) in [
            (list("0", MAX_VALUES - 1), list("0", MAX_VALUES)),
            (list(r#"{"": 0}"#, MAX_VALUES / 2 - 1), list(r#"{"": 0}"#, MAX_VALUES / 2)),
            (list("[[[]]]", MAX_VALUES / 3), list("[[[]]]", MAX_VALUES / 3 + 1)),
            (fields(MAX_VALUES), fields(MAX_VALUES + 1)),
            (format!(r#"{{"x": {}}}"#, fields(MAX_VALUES - 1)), format!(r#"{{"x": {}}}"#, fields(MAX_VALUES))),
        ] {
            assert!(matches!(read(&fits), Some(Ok(_))));
            assert_eq!(read(&too_many), Some(Err(())));
        }
        assert_eq!(read(&format!("{}]", list("0", 2 * MAX_VALUES))), None, "the rest is still JSON");
    }
}
