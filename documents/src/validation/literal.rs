//! Values in the text: each must fit the type of its place (GraphQL, sections 5.6 and 3.5).

use async_graphql_parser::Pos;
use async_graphql_parser::types::{BaseType, Type};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{ConstValue, Name, Value};

use crate::syntax::{is_oversized, number_of};
use crate::type_system::{InputObject, InputRule, Kind, NamedType, inner_name};
use crate::validation::usage::Usage;
use crate::validation::walk::Walk;

/// Bytes of a value for which a similar enum value is looked for.
const MAX_SUGGESTED_FOR: usize = 100;

/// The place of a value, and what is expected there.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    /// None if nothing is known of it.
    pub(super) ty: Option<&'s Type>,
    pub(super) pos: Pos,
    /// True if the place has a default of its own.
    pub(super) has_default: bool,
    /// The input object that has exactly one field, of which this is the value.
    pub(super) one_of: Option<&'s Name>,
}

impl<'s> Place<'s> {
    pub(super) fn of_input(rule: &'s InputRule, pos: Pos) -> Self {
        Self { ty: Some(&rule.ty), pos, has_default: rule.default.is_some(), one_of: None }
    }

    fn of_type(ty: &'s Type, pos: Pos) -> Self {
        Self { ty: Some(ty), pos, has_default: false, one_of: None }
    }
}

impl<'s, 'd> Walk<'s, 'd, '_> {
    /// Checks a default value.
    pub(super) fn constant(&mut self, value: &ConstValue, ty: &Type, pos: Pos) {
        let value = value.clone().into_value();
        // It names no variables, so there is nothing to note.
        self.check_literal(&value, Place::of_type(ty, pos), &mut |_, _| {});
    }

    /// Checks a value, and notes the variables in it.
    pub(super) fn literal(&mut self, value: &'d Value, place: Place<'s>) {
        let mut usages = Vec::new();
        self.check_literal(value, place, &mut |name, place| usages.push(Usage { name, place }));
        self.notes.usages.append(&mut usages);
    }

    /// Notes the variables of a value that nothing is known about.
    pub(super) fn untyped(&mut self, value: &'d Value, pos: Pos) {
        self.literal(value, Place { ty: None, pos, has_default: false, one_of: None });
    }

    fn check_literal<'v, 'p>(&mut self, value: &'v Value, place: Place<'p>, note: &mut dyn FnMut(&'v Name, Place<'p>))
    where
        's: 'p,
    {
        if let Value::Variable(name) = value {
            return note(name, place);
        }
        let Some(ty) = place.ty else {
            return each_within(value, &mut |inner| self.check_literal(inner, place, note));
        };
        match (value, &ty.base) {
            (Value::Null, _) => {
                if !ty.nullable {
                    self.refuse(value, place);
                }
            }
            (Value::List(items), BaseType::List(item)) => {
                for value in items {
                    self.check_literal(value, Place::of_type(item, place.pos), note);
                }
            }
            _ => match self.types.types.get(inner_name(ty)) {
                None => {}
                Some(NamedType { name, kind: Kind::Input(input) }) => match value {
                    Value::Object(fields) => self.check_object(name, input, fields, place.pos, note),
                    _ => self.refuse(value, place),
                },
                Some(found) => {
                    self.check_leaf_value(found, value, place);
                    // Variables within a custom scalar stand for anything.
                    let within = Place { ty: None, ..place };
                    each_within(value, &mut |inner| self.check_literal(inner, within, note));
                }
            },
        }
    }

    fn check_object<'v, 'p>(
        &mut self,
        name: &'s Name,
        input: &'s InputObject,
        given: &'v IndexMap<Name, Value>,
        pos: Pos,
        note: &mut dyn FnMut(&'v Name, Place<'p>),
    ) where
        's: 'p,
    {
        for (field, rule) in &input.fields {
            if rule.is_required() && !given.contains_key(field) {
                let ty = &rule.ty;
                self.faults
                    .add(pos, || format!("Field \"{name}.{field}\" of required type \"{ty}\" was not provided."));
            }
        }
        if input.is_one_of {
            match given.first() {
                Some((field, Value::Null)) if given.len() == 1 => {
                    self.faults.add(pos, || format!("Field \"{name}.{field}\" must be non-null."));
                }
                Some(_) if given.len() == 1 => {}
                _ => self.faults.add(pos, || format!("OneOf Input Object \"{name}\" must specify exactly one key.")),
            }
        }
        for (field, value) in given {
            if self.faults.is_full() {
                return;
            }
            let place = match input.fields.get(field) {
                Some(rule) => Place { one_of: input.is_one_of.then_some(name), ..Place::of_input(rule, pos) },
                None => {
                    let close = self.did_you_mean(field, input.fields.keys().map(Name::as_str));
                    self.faults.add(pos, || format!("Field \"{field}\" is not defined by type \"{name}\".{close}"));
                    Place { ty: None, pos, has_default: false, one_of: None }
                }
            };
            self.check_literal(value, place, note);
        }
    }

    fn check_leaf_value(&mut self, found: &NamedType, value: &Value, place: Place<'_>) {
        match &found.kind {
            Kind::Enum(values) => match value {
                Value::Enum(name) if values.contains(name) => {}
                Value::Enum(name) => {
                    let close = self.close_values(name, values.iter().map(Name::as_str));
                    self.faults.add(place.pos, || {
                        format!("Value \"{name}\" does not exist in \"{}\" enum.{close}", found.name)
                    });
                }
                _ => {
                    let text = value.to_string();
                    let close = self.close_values(text.trim_matches('"'), values.iter().map(Name::as_str));
                    self.faults.add(place.pos, || {
                        format!("Enum \"{}\" cannot represent non-enum value: {value}.{close}", found.name)
                    });
                }
            },
            Kind::Scalar => {
                if let Some(rule) = self.types.scalar_rules.get(found.name.as_str()) {
                    // A rule for values cannot judge variables; those within are for none of ours.
                    let Some(constant) = value.clone().into_const() else { return self.refuse(value, place) };
                    if let Err(reason) = rule(constant) {
                        self.refuse_because(value, place, &reason);
                    }
                } else if let Err(message) = built_in_scalar(&found.name, value) {
                    self.faults.add(place.pos, || format!("{message}: {value}"));
                } else if let ("ID", Value::Enum(digits)) = (found.name.as_str(), value) {
                    self.oversized_ids.insert(digits.clone());
                }
            }
            Kind::Composite(_) | Kind::Input(_) => self.refuse(value, place),
        }
    }

    fn close_values<'n>(&self, name: &str, known: impl Iterator<Item = &'n str>) -> String {
        if name.len() > MAX_SUGGESTED_FOR {
            return String::new();
        }
        self.did_you_mean(name, known).replace("Did you mean ", "Did you mean the enum value ")
    }

    fn refuse(&mut self, value: &Value, place: Place<'_>) {
        let Some(ty) = place.ty else { return };
        self.faults.add(place.pos, || format!("Expected value of type \"{ty}\", found {value}."));
    }

    fn refuse_because(&mut self, value: &Value, place: Place<'_>, reason: &str) {
        let Some(ty) = place.ty else { return };
        self.faults.add(place.pos, || format!("Expected value of type \"{ty}\", found {value}; {reason}"));
    }
}

fn each_within<'v>(value: &'v Value, then: &mut dyn FnMut(&'v Value)) {
    match value {
        Value::List(items) => items.iter().for_each(then),
        Value::Object(fields) => fields.values().for_each(then),
        _ => {}
    }
}

/// Checks a literal against a built-in scalar. Other scalars accept every literal.
fn built_in_scalar(name: &str, value: &Value) -> Result<(), &'static str> {
    let is_integer = |text: &Name| text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    match (name, value) {
        ("Int", Value::Number(number)) if !number.is_f64() => match number.as_i64().map(i32::try_from) {
            Some(Ok(_)) => Ok(()),
            _ => Err("Int cannot represent non 32-bit signed integer value"),
        },
        ("Int", Value::Enum(text)) if is_oversized(text) && is_integer(text) => {
            Err("Int cannot represent non 32-bit signed integer value")
        }
        ("Int", _) => Err("Int cannot represent non-integer value"),
        ("Float", Value::Number(_)) => Ok(()),
        ("Float", Value::Enum(text)) if is_oversized(text) => match number_of(text) {
            Some(_) => Ok(()),
            None => Err("Float cannot represent a number beyond 1.8e308"),
        },
        ("Float", _) => Err("Float cannot represent non numeric value"),
        ("String" | "ID", Value::String(_)) | ("Boolean", Value::Boolean(_)) => Ok(()),
        ("String", _) => Err("String cannot represent a non string value"),
        ("Boolean", _) => Err("Boolean cannot represent a non boolean value"),
        ("ID", Value::Number(number)) if !number.is_f64() => Ok(()),
        ("ID", Value::Enum(text)) if is_oversized(text) && is_integer(text) => Ok(()),
        ("ID", _) => Err("ID cannot represent a non-string and non-integer value"),
        _ => Ok(()),
    }
}
