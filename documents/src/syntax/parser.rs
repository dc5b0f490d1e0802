//! Definitions and selections of a document (GraphQL, sections 2.2 to 2.8 and 2.11 to 2.13).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_graphql_parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, FragmentSpread, InlineFragment,
    OperationDefinition, OperationType, Selection, SelectionSet, TypeCondition, VariableDefinition,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::Name;

use crate::syntax::lexer::{Lexer, Token};
use crate::syntax::{MAX_NESTING, Parsed};
use crate::{Fault, Faults};

/// The beginnings of definitions that a document for a server cannot have.
const TYPE_SYSTEM: [&str; 9] =
    ["schema", "scalar", "type", "interface", "union", "enum", "input", "directive", "extend"];

pub(super) struct Parser<'t> {
    lexer: Lexer<'t>,
    pub(super) token: Token<'t>,
    pub(super) pos: Pos,
    nesting: usize,
    pub(super) faults: Faults,
    anonymous: Vec<Positioned<OperationDefinition>>,
    named: HashMap<Name, Positioned<OperationDefinition>>,
    fragments: HashMap<Name, Positioned<FragmentDefinition>>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Result<Self, Fault> {
        let mut lexer = Lexer::new(text);
        let (token, pos) = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            pos,
            nesting: 0,
            faults: Faults::default(),
            anonymous: Vec::new(),
            named: HashMap::new(),
            fragments: HashMap::new(),
        })
    }

    pub(super) fn document(mut self) -> Result<Parsed, Fault> {
        loop {
            if self.token == Token::End || self.definition()? == Definition::OfTypeSystem {
                break;
            }
        }
        let count = self.anonymous.len() + self.named.len();
        if self.anonymous.is_empty() && self.named.is_empty() && self.fragments.is_empty() && self.faults.is_empty() {
            return Err(self.unexpected());
        }
        if count > 1 {
            for operation in &self.anonymous {
                let message = "This anonymous operation must be the only defined operation.";
                self.faults.add(operation.pos, || message.to_owned());
            }
        }
        let operations = match self.anonymous.into_iter().next() {
            Some(only) if self.named.is_empty() => DocumentOperations::Single(only),
            _ => DocumentOperations::Multiple(self.named),
        };
        let document = ExecutableDocument { operations, fragments: self.fragments };
        Ok(Parsed { document, faults: self.faults })
    }

    fn definition(&mut self) -> Result<Definition, Fault> {
        let described = self.pos;
        let has_description = matches!(self.token, Token::String(_) | Token::BlockString(_));
        if has_description {
            self.advance()?;
        }
        let pos = self.pos;
        match self.token {
            Token::Punctuator('{') if has_description => {
                let message = "Syntax Error: Unexpected description, descriptions are not supported on shorthand \
                               queries.";
                return Err(Fault::new(message, described));
            }
            Token::Punctuator('{') => {
                let operation = OperationDefinition {
                    ty: OperationType::Query,
                    variable_definitions: Vec::new(),
                    directives: Vec::new(),
                    selection_set: self.selection_set()?,
                };
                self.anonymous.push(Positioned::new(operation, pos));
            }
            Token::Name("query") => self.operation(OperationType::Query)?,
            Token::Name("mutation") => self.operation(OperationType::Mutation)?,
            Token::Name("subscription") => self.operation(OperationType::Subscription)?,
            Token::Name("fragment") => self.fragment()?,
            Token::Name(keyword) if TYPE_SYSTEM.contains(&keyword) => {
                // The rest is not executed either.
                let message = || format!("The \"{keyword}\" definition is not executable.");
                self.faults.add(pos, message);
                return Ok(Definition::OfTypeSystem);
            }
            _ if has_description => {
                let message = "Syntax Error: Unexpected description, only GraphQL definitions support descriptions.";
                return Err(Fault::new(message, described));
            }
            _ => return Err(self.unexpected()),
        }
        Ok(Definition::Executable)
    }

    fn operation(&mut self, ty: OperationType) -> Result<(), Fault> {
        let pos = self.pos;
        self.advance()?;
        let name = match self.token {
            Token::Name(_) => Some(self.name()?),
            _ => None,
        };
        let variable_definitions = self.optional_many('(', ')', Self::variable_definition)?;
        let directives = self.directives()?;
        let selection_set = self.selection_set()?;
        let operation =
            Positioned::new(OperationDefinition { ty, variable_definitions, directives, selection_set }, pos);
        let Some(name) = name else {
            self.anonymous.push(operation);
            return Ok(());
        };
        match self.named.entry(name.node) {
            Entry::Vacant(entry) => {
                entry.insert(operation);
            }
            Entry::Occupied(first) => self.faults.add_pair(first.get().pos, pos, || {
                format!("There can be only one operation named \"{}\".", first.key())
            }),
        }
        Ok(())
    }

    fn variable_definition(&mut self) -> Result<Positioned<VariableDefinition>, Fault> {
        if matches!(self.token, Token::String(_) | Token::BlockString(_)) {
            self.advance()?;
        }
        let pos = self.pos;
        let name = self.variable()?;
        self.expect(':')?;
        let var_type = self.type_reference()?;
        let default_value = if self.skip('=')? { Some(self.const_value()?) } else { None };
        let directives = self.const_directives()?;
        Ok(Positioned::new(VariableDefinition { name, var_type, directives, default_value }, pos))
    }

    fn fragment(&mut self) -> Result<(), Fault> {
        let pos = self.pos;
        self.advance()?;
        if self.token == Token::Name("on") {
            return Err(self.unexpected());
        }
        let name = self.name()?;
        let type_condition = self.type_condition()?;
        let directives = self.directives()?;
        let selection_set = self.selection_set()?;
        let fragment = Positioned::new(FragmentDefinition { type_condition, directives, selection_set }, pos);
        match self.fragments.entry(name.node) {
            Entry::Vacant(entry) => {
                entry.insert(fragment);
            }
            Entry::Occupied(first) => self.faults.add_pair(first.get().pos, pos, || {
                format!("There can be only one fragment named \"{}\".", first.key())
            }),
        }
        Ok(())
    }

    fn type_condition(&mut self) -> Result<Positioned<TypeCondition>, Fault> {
        let pos = self.pos;
        if self.token != Token::Name("on") {
            return Err(self.expected("\"on\""));
        }
        self.advance()?;
        Ok(Positioned::new(TypeCondition { on: self.name()? }, pos))
    }

    fn selection_set(&mut self) -> Result<Positioned<SelectionSet>, Fault> {
        let pos = self.pos;
        let items = self.many('{', '}', Self::selection)?;
        Ok(Positioned::new(SelectionSet { items }, pos))
    }

    fn selection(&mut self) -> Result<Positioned<Selection>, Fault> {
        let pos = self.pos;
        let selection = if self.token == Token::Spread {
            self.advance()?;
            self.spread_fragment(pos)?
        } else {
            Selection::Field(Positioned::new(self.field()?, pos))
        };
        Ok(Positioned::new(selection, pos))
    }

    fn field(&mut self) -> Result<Field, Fault> {
        let first = self.name()?;
        let (alias, name) = if self.skip(':')? { (Some(first), self.name()?) } else { (None, first) };
        let arguments = self.optional_many('(', ')', Self::argument)?;
        let directives = self.directives()?;
        let selection_set = match self.token {
            Token::Punctuator('{') => self.selection_set()?,
            _ => Positioned::new(SelectionSet::default(), self.pos),
        };
        Ok(Field { alias, name, arguments, directives, selection_set })
    }

    /// A fragment spread or an inline fragment, from behind its dots.
    fn spread_fragment(&mut self, pos: Pos) -> Result<Selection, Fault> {
        if let Token::Name(name) = self.token
            && name != "on"
        {
            let spread = FragmentSpread { fragment_name: self.name()?, directives: self.directives()? };
            return Ok(Selection::FragmentSpread(Positioned::new(spread, pos)));
        }
        let type_condition = if self.token == Token::Name("on") { Some(self.type_condition()?) } else { None };
        let directives = self.directives()?;
        let inline = InlineFragment { type_condition, directives, selection_set: self.selection_set()? };
        Ok(Selection::InlineFragment(Positioned::new(inline, pos)))
    }

    pub(super) fn directives(&mut self) -> Result<Vec<Positioned<Directive>>, Fault> {
        self.directives_with(Self::argument)
    }

    pub(super) fn directives_with(
        &mut self,
        argument: fn(&mut Self) -> Result<super::values::Argument, Fault>,
    ) -> Result<Vec<Positioned<Directive>>, Fault> {
        let mut directives = Vec::new();
        while self.token == Token::Punctuator('@') {
            let pos = self.pos;
            self.advance()?;
            let name = self.name()?;
            let arguments = self.optional_many('(', ')', argument)?;
            directives.push(Positioned::new(Directive { name, arguments }, pos));
        }
        Ok(directives)
    }

    /// One or more of `item` between two brackets.
    fn many<T>(
        &mut self,
        open: char,
        close: char,
        item: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        self.expect(open)?;
        self.enter()?;
        let mut items = vec![item(self)?];
        while !self.skip(close)? {
            items.push(item(self)?);
        }
        self.leave();
        Ok(items)
    }

    /// As [`Self::many`], or nothing if there is no opening bracket.
    fn optional_many<T>(
        &mut self,
        open: char,
        close: char,
        item: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        if self.token == Token::Punctuator(open) { self.many(open, close, item) } else { Ok(Vec::new()) }
    }

    pub(super) fn name(&mut self) -> Result<Positioned<Name>, Fault> {
        let Token::Name(name) = self.token else { return Err(self.expected("Name")) };
        let name = Positioned::new(Name::new(name), self.pos);
        self.advance()?;
        Ok(name)
    }

    pub(super) fn expect(&mut self, character: char) -> Result<(), Fault> {
        if self.skip(character)? { Ok(()) } else { Err(self.expected(&format!("\"{character}\""))) }
    }

    /// Takes this punctuator if it comes next.
    pub(super) fn skip(&mut self, character: char) -> Result<bool, Fault> {
        let found = self.token == Token::Punctuator(character);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn advance(&mut self) -> Result<(), Fault> {
        (self.token, self.pos) = self.lexer.next()?;
        Ok(())
    }

    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(Fault::new(format!("Syntax Error: More than {MAX_NESTING} nested brackets."), self.pos));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.nesting -= 1;
    }

    pub(super) fn unexpected(&self) -> Fault {
        Fault::new(format!("Syntax Error: Unexpected {}.", self.token.describe()), self.pos)
    }

    fn expected(&self, what: &str) -> Fault {
        Fault::new(format!("Syntax Error: Expected {what}, found {}.", self.token.describe()), self.pos)
    }
}

#[derive(PartialEq, Eq)]
enum Definition {
    Executable,
    OfTypeSystem,
}
