//! Values, arguments and types (GraphQL, sections 2.6 and 2.9 to 2.11).

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{BaseType, Directive, Type};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::indexmap::map::Entry;
use async_graphql_value::{ConstValue, Name, Value};
use serde_json::Number;

use crate::Fault;
use crate::syntax::lexer::Token;
use crate::syntax::parser::Parser;

pub(super) type Argument = (Positioned<Name>, Positioned<Value>);

/// Use of variables inside a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variables {
    Allowed,
    Refused,
}

impl Parser<'_> {
    pub(super) fn argument(&mut self) -> Result<Argument, Fault> {
        self.named_value(Variables::Allowed)
    }

    fn const_argument(&mut self) -> Result<Argument, Fault> {
        self.named_value(Variables::Refused)
    }

    pub(super) fn const_directives(&mut self) -> Result<Vec<Positioned<Directive>>, Fault> {
        self.directives_with(Self::const_argument)
    }

    pub(super) fn const_value(&mut self) -> Result<Positioned<ConstValue>, Fault> {
        let pos = self.pos;
        let value = self.value(Variables::Refused)?;
        // A variable in it was refused.
        Ok(Positioned::new(value.into_const().unwrap_or_default(), pos))
    }

    pub(super) fn variable(&mut self) -> Result<Positioned<Name>, Fault> {
        let pos = self.pos;
        self.expect('$')?;
        Ok(Positioned::new(self.name()?.node, pos))
    }

    fn named_value(&mut self, variables: Variables) -> Result<Argument, Fault> {
        let name = self.name()?;
        self.expect(':')?;
        let pos = self.pos;
        Ok((name, Positioned::new(self.value(variables)?, pos)))
    }

    fn value(&mut self, variables: Variables) -> Result<Value, Fault> {
        let value = match &mut self.token {
            Token::Punctuator('[') => return self.list(variables),
            Token::Punctuator('{') => return self.object(variables),
            Token::Punctuator('$') if variables == Variables::Allowed => {
                return self.variable().map(|name| Value::Variable(name.node));
            }
            Token::Punctuator('$') => return Err(self.variable_in_constant()),
            Token::Int(text) => integer(text),
            Token::Float(text) => float(text),
            Token::String(text) | Token::BlockString(text) => Value::String(std::mem::take(text)),
            Token::Name("true") => Value::Boolean(true),
            Token::Name("false") => Value::Boolean(false),
            Token::Name("null") => Value::Null,
            Token::Name(name) => Value::Enum(Name::new(name)),
            _ => return Err(self.unexpected()),
        };
        self.advance()?;
        Ok(value)
    }

    fn variable_in_constant(&mut self) -> Fault {
        match self.variable() {
            Ok(name) => {
                let message = format!("Syntax Error: Unexpected variable \"${}\" in constant value.", name.node);
                Fault::new(message, name.pos)
            }
            Err(fault) => fault,
        }
    }

    fn list(&mut self, variables: Variables) -> Result<Value, Fault> {
        self.expect('[')?;
        self.enter()?;
        let mut items = Vec::new();
        while !self.skip(']')? {
            items.push(self.value(variables)?);
        }
        self.leave();
        Ok(Value::List(items))
    }

    fn object(&mut self, variables: Variables) -> Result<Value, Fault> {
        self.expect('{')?;
        self.enter()?;
        let mut fields = IndexMap::new();
        while !self.skip('}')? {
            let (name, value) = self.named_value(variables)?;
            match fields.entry(name.node) {
                Entry::Vacant(entry) => {
                    entry.insert(value.node);
                }
                Entry::Occupied(first) => self
                    .faults
                    .add(name.pos, || format!("There can be only one input field named \"{}\".", first.key())),
            }
        }
        self.leave();
        Ok(Value::Object(fields))
    }

    pub(super) fn type_reference(&mut self) -> Result<Positioned<Type>, Fault> {
        let pos = self.pos;
        let base = if self.skip('[')? {
            self.enter()?;
            let inner = self.type_reference()?;
            self.expect(']')?;
            self.leave();
            BaseType::List(Box::new(inner.node))
        } else {
            BaseType::Named(self.name()?.node)
        };
        let nullable = !self.skip('!')?;
        Ok(Positioned::new(Type { base, nullable }, pos))
    }
}

/// An integer. One that has more than 64 bits, with its sign, is an enum value in the syntax tree, so that it is still known to be an
/// integer: no other enum value begins with a digit or a sign.
fn integer(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| Value::Enum(Name::new(text)), |number| Value::Number(number.into()))
}

fn float(text: &str) -> Value {
    number_of(text).map_or_else(|| Value::Enum(Name::new(text)), Value::Number)
}

/// Returns whether an enum value of the syntax tree is a number in the text, of more than 64 bits.
pub(crate) fn is_oversized(text: &Name) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// The nearest number with a fraction; None beyond 1.8e308.
pub(crate) fn number_of(text: &str) -> Option<Number> {
    text.parse::<f64>().ok().and_then(Number::from_f64)
}
