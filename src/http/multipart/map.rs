//! `map`: which file takes which places in the variables.

use std::fmt;

use async_graphql::{ScalarType as _, Value, Variables};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::Refusal;
use crate::upload::Upload;

/// Characters of a client's own words that a message repeats.
const MAX_SHOWN_CHARS: usize = 100;

/// The names of the files' parts, and the paths of the places that each takes, such as `variables.files.0`. Files are
/// numbered in its order.
pub(super) struct Map(Vec<(String, Vec<String>)>);

impl Map {
    pub(super) fn parse(json: &[u8], max_files: usize) -> Result<Self, Refusal> {
        let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        let map: Self = serde_json::from_slice(json).map_err(|_| {
            let message = "`map` must be a JSON object that has for each file the list of its places, such as \
                           {\"0\": [\"variables.files.0\"]}.";
            Refusal::malformed(message)
        })?;
        // First: names are compared with each other.
        if map.files() > max_files {
            return Err(Refusal::TooLarge(format!("An upload has at most {max_files} files.")));
        }
        for (at, (name, paths)) in map.0.iter().enumerate() {
            if paths.is_empty() {
                return Err(Refusal::malformed(format!("`map` has no place for the file `{}`.", shown(name))));
            }
            if map.number(name) != Some(at) {
                return Err(Refusal::malformed(format!("`map` has the file `{}` twice.", shown(name))));
            }
        }
        Ok(map)
    }

    /// How many there are.
    pub(super) fn files(&self) -> usize {
        self.0.len()
    }

    /// Which of the files this part is.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(named, _)| named == name)
    }

    /// The first place of a file, for messages.
    pub(super) fn place(&self, number: usize) -> String {
        self.0.get(number).and_then(|(_, paths)| paths.first()).map(|path| shown(path)).unwrap_or_default()
    }

    /// Puts what stands for each file into its places.
    pub(super) fn fill(&self, variables: &mut Variables) -> Result<(), Refusal> {
        for (number, (_, paths)) in self.0.iter().enumerate() {
            let upload = Upload::numbered(number).to_value();
            for path in paths {
                let Some(place) = find(variables, path) else {
                    return Err(Refusal::malformed(format!("`operations` has no `{}`.", shown(path))));
                };
                if *place != Value::Null {
                    let message = format!("`{}` must be null in `operations`, and once in `map`.", shown(path));
                    return Err(Refusal::malformed(message));
                }
                *place = upload.clone();
            }
        }
        Ok(())
    }
}

/// The value at a path such as `variables.input.files.0`.
fn find<'a>(variables: &'a mut Variables, path: &str) -> Option<&'a mut Value> {
    let mut steps = path.strip_prefix("variables.")?.split('.');
    let mut value = variables.get_mut(steps.next()?)?;
    for step in steps {
        value = match value {
            Value::Object(fields) => fields.get_mut(step)?,
            Value::List(values) if step.bytes().all(|byte| byte.is_ascii_digit()) => {
                values.get_mut(step.parse::<usize>().ok()?)?
            }
            _ => return None,
        };
    }
    Some(value)
}

/// A client's own words as a message repeats them.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARS).map(|char| if char.is_control() { '?' } else { char }).collect()
}

/// Names in their order, and those that come twice.
impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Map;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Map, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Map(map))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
