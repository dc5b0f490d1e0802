//! From a text to a syntax tree (GraphQL, section 2).

mod lexer;
mod parser;
mod strings;
mod values;

use std::collections::HashSet;

use async_graphql_parser::types::ExecutableDocument;
use async_graphql_value::Name;

use crate::{Fault, Faults};
use lexer::{Lexer, Token};
pub(crate) use values::{is_oversized, number_of};

/// Brackets within brackets: the parser recurses, and so does each walk of its result.
const MAX_NESTING: usize = 128;

/// A document, and what the syntax tree cannot tell anymore.
#[derive(Debug)]
pub struct Parsed {
    /// The document. Of several definitions with one name it has the first.
    pub document: ExecutableDocument,
    /// Names of operations, fragments and input fields that occur twice, and the like.
    pub(crate) faults: Faults,
}

/// Parses an executable document.
///
/// # Errors
/// The first place in which the text is no GraphQL.
pub fn parse(text: &str) -> Result<Parsed, Fault> {
    parser::Parser::new(text)?.document()
}

/// The directives that a schema defines as `repeatable`: async-graphql's parser says so of all.
pub(crate) fn repeatable_directives(sdl: &str) -> Result<HashSet<Name>, Fault> {
    let (mut lexer, mut repeatable) = (Lexer::new(sdl), HashSet::new());
    // The last two tokens, the name of the directive being read, and the number of open brackets.
    let (mut before, mut directive, mut nesting) = ([Token::End, Token::End], None, 0_usize);
    loop {
        let (token, _) = lexer.next()?;
        match (&before, &token) {
            (_, Token::End) => return Ok(repeatable),
            ([Token::Name("directive"), Token::Punctuator('@')], Token::Name(name)) => {
                (directive, nesting) = (Some(Name::new(name)), 0);
            }
            (_, Token::Punctuator('(')) => nesting += 1,
            (_, Token::Punctuator(')')) => nesting = nesting.saturating_sub(1),
            (_, Token::Name("repeatable")) if nesting == 0 => repeatable.extend(directive.take()),
            (_, Token::Name(_)) if nesting == 0 => directive = None,
            _ => {}
        }
        let [_, last] = before;
        before = [last, token];
    }
}
