//! The values of variables: coerced once, before anything else sees them (GraphQL, section 6.1.2).

use std::fmt::{self, Write as _};

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{BaseType, Type, VariableDefinition};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{ConstValue, Name, Variables};

use crate::syntax::{is_oversized, number_of};
use crate::type_system::{InputObject, Kind, NamedType};
use crate::{Fault, TypeSystem};

/// Faults beyond this number are not looked for.
const MAX_FAULTS: usize = 10;
/// Bytes of a value that a message repeats.
const MAX_SHOWN: usize = 200;

/// A value that does not fit, and the way to it from the variable, last step first.
struct Misfit {
    path: Vec<String>,
    value: String,
    message: String,
}

impl Misfit {
    fn new(value: &ConstValue, message: impl Into<String>) -> Self {
        Self { path: Vec::new(), value: shown(value), message: message.into() }
    }

    fn within(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }

    fn into_message(self, variable: &Name) -> String {
        let Self { path, value, message } = self;
        let steps: String = path.into_iter().rev().collect();
        let place = if steps.is_empty() { String::new() } else { format!(" at \"{variable}{steps}\"") };
        format!("Variable \"${variable}\" got invalid value {value}{place}; {message}")
    }
}

impl TypeSystem {
    /// CoerceVariableValues(): the values of an operation's variables, defaults included. Variables
    /// that the operation does not define are left out.
    ///
    /// # Errors
    /// The first faults: a value that is missing, or does not fit the type of its variable.
    pub fn coerce_variables(
        &self,
        definitions: &[Positioned<VariableDefinition>],
        mut given: Variables,
    ) -> Result<Variables, Vec<Fault>> {
        let (mut coerced, mut faults) = (Variables::default(), Vec::new());
        for definition in definitions {
            let VariableDefinition { name, var_type, default_value, .. } = &definition.node;
            let (name, ty) = (&name.node, &var_type.node);
            let value = match (given.remove(name), default_value) {
                (Some(value), _) => value,
                (None, Some(default)) => default.node.clone(),
                (None, None) if ty.nullable => continue,
                (None, None) => {
                    let message = format!("Variable \"${name}\" of required type \"{ty}\" was not provided.");
                    faults.push(Fault::new(message, definition.pos));
                    continue;
                }
            };
            if value == ConstValue::Null && !ty.nullable {
                let message = format!("Variable \"${name}\" of non-null type \"{ty}\" must not be null.");
                let message = self.reason_of_rule(ty).unwrap_or(message);
                faults.push(Fault::new(message, definition.pos));
                continue;
            }
            match self.coerce(value, ty) {
                Ok(value) => {
                    coerced.insert(name.clone(), value);
                }
                Err(misfit) => faults.push(Fault::new(misfit.into_message(name), definition.pos)),
            }
            if faults.len() >= MAX_FAULTS {
                break;
            }
        }
        if faults.is_empty() { Ok(coerced) } else { Err(faults) }
    }

    /// Returns the reason for which the rule of a custom scalar refuses null. `None` for other types.
    fn reason_of_rule(&self, ty: &Type) -> Option<String> {
        let BaseType::Named(name) = &ty.base else { return None };
        self.scalar_rules.get(name.as_str())?(ConstValue::Null).err()
    }

    fn coerce(&self, value: ConstValue, ty: &Type) -> Result<ConstValue, Misfit> {
        if value == ConstValue::Null {
            if ty.nullable {
                return Ok(value);
            }
            let message = format!("Expected non-nullable type \"{ty}\" not to be null.");
            return Err(Misfit::new(&value, self.reason_of_rule(ty).unwrap_or(message)));
        }
        match (&ty.base, value) {
            (BaseType::List(item), ConstValue::List(values)) => {
                let values = values.into_iter().enumerate().map(|(index, value)| {
                    self.coerce(value, item).map_err(|misfit| misfit.within(format!("[{index}]")))
                });
                values.collect::<Result<_, _>>().map(ConstValue::List)
            }
            (BaseType::List(item), value) => Ok(ConstValue::List(vec![self.coerce(value, item)?])),
            (BaseType::Named(name), value) => match self.types.get(name) {
                Some(NamedType { name, kind }) => self.coerce_named(value, name, kind),
                None => Err(Misfit::new(&value, format!("Unknown type \"{name}\"."))),
            },
        }
    }

    fn coerce_named(&self, value: ConstValue, name: &Name, kind: &Kind) -> Result<ConstValue, Misfit> {
        match kind {
            Kind::Input(input) => match value {
                ConstValue::Object(fields) => self.coerce_object(fields, name, input),
                other => Err(Misfit::new(&other, format!("Expected type \"{name}\" to be an object."))),
            },
            Kind::Enum(values) => match &value {
                ConstValue::String(text) if values.contains(text.as_str()) => Ok(ConstValue::Enum(Name::new(text))),
                ConstValue::Enum(text) if values.contains(text) => Ok(value),
                ConstValue::String(_) => {
                    let message = format!("Value {} does not exist in \"{name}\" enum.", shown(&value));
                    Err(Misfit::new(&value, message))
                }
                _ => {
                    let message = format!("Enum \"{name}\" cannot represent non-string value: {}.", shown(&value));
                    Err(Misfit::new(&value, message))
                }
            },
            Kind::Scalar => {
                let Some(rule) = self.scalar_rules.get(name.as_str()) else { return built_in_scalar(name, value) };
                let shown = shown(&value);
                rule(value).map_err(|reason| {
                    let message = format!("Expected type \"{name}\". {reason}");
                    Misfit { path: Vec::new(), value: shown, message }
                })
            }
            Kind::Composite(_) => Err(Misfit::new(&value, format!("\"{name}\" is no input type."))),
        }
    }

    fn coerce_object(
        &self,
        mut given: IndexMap<Name, ConstValue>,
        name: &Name,
        input: &InputObject,
    ) -> Result<ConstValue, Misfit> {
        if let Some(unknown) = given.keys().find(|field| !input.fields.contains_key(*field)) {
            let message = format!("Field \"{unknown}\" is not defined by type \"{name}\".");
            return Err(Misfit::new(&ConstValue::Object(given), message));
        }
        if input.is_one_of {
            let given_value = given.values().next().filter(|_| given.len() == 1);
            let message = match given_value {
                None => Some(format!("Exactly one key must be specified for OneOf type \"{name}\".")),
                Some(ConstValue::Null) => Some(format!("The one field of OneOf type \"{name}\" must be non-null.")),
                Some(_) => None,
            };
            if let Some(message) = message {
                return Err(Misfit::new(&ConstValue::Object(given), message));
            }
        }
        let mut coerced = IndexMap::with_capacity(input.fields.len());
        for (field, rule) in &input.fields {
            let ty = &rule.ty;
            let value = match (given.swap_remove(field), &rule.default) {
                (Some(value), _) => value,
                (None, Some(default)) => default.clone(),
                (None, None) if ty.nullable => continue,
                (None, None) => {
                    let message = format!("Field \"{field}\" of required type \"{ty}\" was not provided.");
                    return Err(Misfit::new(&ConstValue::Object(given), message));
                }
            };
            let value = self.coerce(value, ty).map_err(|misfit| misfit.within(format!(".{field}")))?;
            coerced.insert(field.clone(), value);
        }
        Ok(ConstValue::Object(coerced))
    }
}

/// A scalar of GraphQL itself; any other scalar accepts all.
fn built_in_scalar(name: &str, value: ConstValue) -> Result<ConstValue, Misfit> {
    let misfit = |value: &ConstValue, message: &str| Err(Misfit::new(value, format!("{message}: {}", shown(value))));
    match (name, &value) {
        ("Int", ConstValue::Number(number)) => match whole(number).map(i32::try_from) {
            Some(Ok(integer)) => Ok(ConstValue::Number(integer.into())),
            Some(Err(_)) => misfit(&value, "Int cannot represent non 32-bit signed integer value"),
            None => misfit(&value, "Int cannot represent non-integer value"),
        },
        ("Int", _) => misfit(&value, "Int cannot represent non-integer value"),
        ("Float", ConstValue::Number(_)) | ("String" | "ID", ConstValue::String(_)) => Ok(value),
        ("Boolean", ConstValue::Boolean(_)) => Ok(value),
        ("Float", ConstValue::Enum(text)) => match number_of(text).filter(|_| is_oversized(text)) {
            Some(number) => Ok(ConstValue::Number(number)),
            None => misfit(&value, "Float cannot represent non numeric value"),
        },
        ("Float", _) => misfit(&value, "Float cannot represent non numeric value"),
        // It may be a password, and a message goes to logs of front ends.
        ("String", _) => Err(Misfit {
            path: Vec::new(),
            value: "…".to_owned(),
            message: "String cannot represent a non string value.".to_owned(),
        }),
        ("Boolean", _) => misfit(&value, "Boolean cannot represent a non boolean value"),
        ("ID", ConstValue::Number(number)) => match whole(number) {
            Some(integer) => Ok(ConstValue::String(integer.to_string())),
            None => number
                .as_u64()
                .map(|integer| ConstValue::String(integer.to_string()))
                .map_or_else(|| misfit(&value, "ID cannot represent value"), Ok),
        },
        // An integer of more than 64 bits: the default in the document.
        ("ID", ConstValue::Enum(digits)) => Ok(ConstValue::String(digits.to_string())),
        ("ID", _) => misfit(&value, "ID cannot represent value"),
        _ => Ok(value),
    }
}

/// JSON may write an integer as `1.0` or `1e3`; up to 2^53 the conversion is exact.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within the range")]
fn whole(number: &serde_json::Number) -> Option<i64> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0);
    number.as_i64().or_else(|| if number.is_f64() { float().map(|float| float as i64) } else { None })
}

/// The beginning of a value, as GraphQL writes it. Objects and lists are left out: a message goes to
/// logs of front ends, and they may hold a password.
fn shown(value: &ConstValue) -> String {
    match value {
        ConstValue::Object(_) => return "{…}".to_owned(),
        ConstValue::List(_) => return "[…]".to_owned(),
        _ => {}
    }
    struct Beginning(String);

    impl fmt::Write for Beginning {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = MAX_SHOWN.saturating_sub(self.0.len());
            let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            self.0.push_str(text.get(..end).unwrap_or_default());
            if end < text.len() { Err(fmt::Error) } else { Ok(()) }
        }
    }

    let mut beginning = Beginning(String::new());
    let is_whole = write!(beginning, "{value}").is_ok();
    if !is_whole {
        beginning.0.push('…');
    }
    beginning.0
}
