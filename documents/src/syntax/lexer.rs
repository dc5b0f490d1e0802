//! Tokens of a document, and their places (GraphQL, section 2.1).

use async_graphql_parser::Pos;

use crate::Fault;
use crate::syntax::strings;

const EXPECTED_DIGIT: &str = "expected digit but got";

/// A lexical token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Punctuator(char),
    Spread,
    Name(&'t str),
    Int(&'t str),
    Float(&'t str),
    String(String),
    BlockString(String),
    End,
}

impl Token<'_> {
    /// The token as graphql-js names it in messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Punctuator(character) => format!("\"{character}\""),
            Self::Spread => "\"...\"".to_owned(),
            Self::Name(name) => format!("Name \"{name}\""),
            Self::Int(text) => format!("Int \"{text}\""),
            Self::Float(text) => format!("Float \"{text}\""),
            Self::String(text) => format!("String \"{text}\""),
            Self::BlockString(text) => format!("BlockString \"{text}\""),
            Self::End => "<EOF>".to_owned(),
        }
    }
}

/// Reads a text token by token.
pub(super) struct Lexer<'t> {
    rest: &'t str,
    pos: Pos,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { rest: text, pos: Pos { line: 1, column: 1 } }
    }

    /// The next token and its place.
    pub(super) fn next(&mut self) -> Result<(Token<'t>, Pos), Fault> {
        self.skip_ignored();
        let pos = self.pos;
        let Some(first) = self.rest.chars().next() else { return Ok((Token::End, pos)) };
        let token = match first {
            '!' | '$' | '&' | '(' | ')' | ':' | '=' | '@' | '[' | ']' | '{' | '|' | '}' => {
                self.take(1);
                Token::Punctuator(first)
            }
            '.' if self.rest.starts_with("...") => {
                self.take(3);
                Token::Spread
            }
            'A'..='Z' | 'a'..='z' | '_' => Token::Name(self.name()),
            '0'..='9' | '-' => self.number()?,
            '"' => self.string()?,
            other => return Err(self.unexpected(other)),
        };
        Ok((token, pos))
    }

    /// Skips whitespace, line ends, commas, comments and byte order marks.
    fn skip_ignored(&mut self) {
        let mut bytes = self.rest.as_bytes();
        loop {
            match bytes {
                [b' ' | b'\t' | b',', after @ ..] => {
                    self.pos.column += 1;
                    bytes = after;
                }
                [b'\r', b'\n', after @ ..] | [b'\r' | b'\n', after @ ..] => {
                    self.pos = Pos { line: self.pos.line + 1, column: 1 };
                    bytes = after;
                }
                [0xEF, 0xBB, 0xBF, after @ ..] => {
                    self.pos.column += 1;
                    bytes = after;
                }
                [b'#', ..] => {
                    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                    let (comment, after) = bytes.split_at(end.unwrap_or(bytes.len()));
                    self.pos.column += characters(comment);
                    bytes = after;
                }
                _ => break,
            }
        }
        let skipped = self.rest.len() - bytes.len();
        self.rest = self.rest.get(skipped..).unwrap_or_default();
    }

    /// Takes ASCII characters.
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.pos.column += length;
        taken
    }

    fn name(&mut self) -> &'t str {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        self.take(self.rest.bytes().take_while(is_part).count())
    }

    /// An IntValue or FloatValue. Neither may be followed by a digit, a dot or a name.
    fn number(&mut self) -> Result<Token<'t>, Fault> {
        let bytes = self.rest.as_bytes();
        let digits =
            |from: usize| bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut length = usize::from(bytes.first() == Some(&b'-'));
        let whole = digits(length);
        if whole == 0 || (whole > 1 && bytes.get(length) == Some(&b'0')) {
            let expectation = if whole == 0 { EXPECTED_DIGIT } else { "unexpected digit after 0" };
            return Err(self.invalid_number(length + usize::from(whole > 0), expectation));
        }
        length += whole;
        let mut is_float = false;
        if bytes.get(length) == Some(&b'.') {
            is_float = true;
            let fraction = digits(length + 1);
            if fraction == 0 {
                return Err(self.invalid_number(length + 1, EXPECTED_DIGIT));
            }
            length += 1 + fraction;
        }
        if matches!(bytes.get(length), Some(b'e' | b'E')) {
            is_float = true;
            length += 1;
            length += usize::from(matches!(bytes.get(length), Some(b'+' | b'-')));
            let exponent = digits(length);
            if exponent == 0 {
                return Err(self.invalid_number(length, EXPECTED_DIGIT));
            }
            length += exponent;
        }
        if bytes.get(length).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
            return Err(self.invalid_number(length, EXPECTED_DIGIT));
        }
        let text = self.take(length);
        Ok(if is_float { Token::Float(text) } else { Token::Int(text) })
    }

    fn string(&mut self) -> Result<Token<'t>, Fault> {
        let (read, is_block) = match self.rest.strip_prefix("\"\"\"") {
            Some(inside) => (strings::block_string(inside), true),
            None => (strings::string(self.rest.get(1..).unwrap_or_default()), false),
        };
        let read = read.map_err(|invalid| {
            let before = if is_block { 3 } else { 1 };
            let text = self.rest.get(..before + invalid.at).unwrap_or(self.rest);
            Fault::new(format!("Syntax Error: {}", invalid.message), after(self.pos, text))
        })?;
        let length = read.length + if is_block { 3 } else { 1 };
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        (self.pos, self.rest) = (after(self.pos, text), rest);
        Ok(if is_block { Token::BlockString(read.value) } else { Token::String(read.value) })
    }

    fn unexpected(&self, character: char) -> Fault {
        let message = match character {
            '.' => "Syntax Error: Unexpected \".\".".to_owned(),
            '\'' => "Syntax Error: Unexpected single quote character ('), did you mean to use a double quote (\")?"
                .to_owned(),
            ' '..='~' => format!("Syntax Error: Unexpected character: \"{character}\"."),
            other => format!("Syntax Error: Unexpected character: U+{:04X}.", u32::from(other)),
        };
        Fault::new(message, self.pos)
    }

    fn invalid_number(&self, at: usize, expectation: &str) -> Fault {
        let found = match self.rest.get(at..).and_then(|rest| rest.chars().next()) {
            Some('"') => "'\"'".to_owned(),
            Some(character @ ' '..='~') => format!("\"{character}\""),
            Some(other) => format!("U+{:04X}", u32::from(other)),
            None => "<EOF>".to_owned(),
        };
        let place = Pos { column: self.pos.column + at, ..self.pos };
        Fault::new(format!("Syntax Error: Invalid number, {expectation}: {found}."), place)
    }
}

/// The place after `text`, which begins at `pos`.
fn after(mut pos: Pos, text: &str) -> Pos {
    let mut bytes = text.as_bytes();
    while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let length = if bytes.get(end..).is_some_and(|rest| rest.starts_with(b"\r\n")) { 2 } else { 1 };
        bytes = bytes.get(end + length..).unwrap_or_default();
        pos = Pos { line: pos.line + 1, column: 1 };
    }
    pos.column += characters(bytes);
    pos
}

/// Characters of UTF-8: every byte begins one, except those that continue one.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xC0) != 0x80).count()
}
