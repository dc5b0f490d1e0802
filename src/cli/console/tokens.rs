//! The tokens of a text that may be unfinished: GraphQL's own, after section 2.1 of its specification.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A string, also a block string.
    Text,
    /// Everything else, such as a bracket.
    Sign,
}

/// One token, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    pub(super) start: usize,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// In what a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Between or after tokens.
    Whole,
    Comment,
    /// A string that lacks its quote, and can have none on a later line.
    BrokenString,
    /// A block string that may go on.
    BlockString,
}

/// The tokens of `text`, and in what it ends.
pub(super) fn tokens(text: &str) -> (Vec<Token<'_>>, Ending) {
    let (mut found, mut start, mut ending) = (Vec::new(), 0, Ending::Whole);
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let (kind, length, state) = first(rest);
        if let (Some(kind), Some(text)) = (kind, rest.get(..length)) {
            found.push(Token { kind, text, start });
        }
        start += length;
        // A string that breaks off in the midst of a text is as wrong as at its end.
        ending = if ending == Ending::BrokenString { ending } else { state };
    }
    (found, ending)
}

/// How many brackets are still to be closed; none where too many were.
pub(super) fn open_brackets(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for token in tokens.iter().filter(|token| token.kind == Kind::Sign) {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return 0,
            },
            _ => {}
        }
    }
    depth
}

/// What `rest` begins with, and its length; no kind for what is ignored.
fn first(rest: &str) -> (Option<Kind>, usize, Ending) {
    let run = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    let Some(c) = rest.chars().next() else { return (None, 0, Ending::Whole) };
    match c {
        '#' => match rest.find(['\n', '\r']) {
            Some(length) => (None, length, Ending::Whole),
            None => (None, rest.len(), Ending::Comment),
        },
        '"' => string(rest),
        ',' | '\u{feff}' => (None, c.len_utf8(), Ending::Whole),
        _ if c.is_whitespace() => (None, c.len_utf8(), Ending::Whole),
        '.' if rest.starts_with("...") => (Some(Kind::Sign), 3, Ending::Whole),
        _ if c.is_ascii_alphabetic() || c == '_' => {
            (Some(Kind::Name), run(|c| c.is_ascii_alphanumeric() || c == '_'), Ending::Whole)
        }
        _ if c.is_ascii_digit() || c == '-' => {
            (Some(Kind::Number), run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')), Ending::Whole)
        }
        _ => (Some(Kind::Sign), c.len_utf8(), Ending::Whole),
    }
}

fn string(rest: &str) -> (Option<Kind>, usize, Ending) {
    let is_block = rest.starts_with("\"\"\"");
    let (quote, escape) = if is_block { ("\"\"\"", "\\\"\"\"") } else { ("\"", "\\") };
    let mut at = quote.len();
    while let Some(ahead) = rest.get(at..) {
        let Some(c) = ahead.chars().next() else { break };
        if ahead.starts_with(escape) {
            // In a plain string whatever follows is escaped, but for the line's end.
            let escaped = if is_block { None } else { ahead.chars().nth(1).filter(|c| !matches!(c, '\n' | '\r')) };
            at += escape.len() + escaped.map_or(0, char::len_utf8);
        } else if ahead.starts_with(quote) {
            return (Some(Kind::Text), at + quote.len(), Ending::Whole);
        } else if !is_block && matches!(c, '\n' | '\r') {
            return (Some(Kind::Text), at, Ending::BrokenString);
        } else {
            at += c.len_utf8();
        }
    }
    (Some(Kind::Text), rest.len(), if is_block { Ending::BlockString } else { Ending::BrokenString })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_apart_also_in_unfinished_text() {
        let texts = |text| tokens(text).0.into_iter().map(|token| token.text).collect::<Vec<_>>();
        assert_eq!(
            texts("{ a(b: -1.5e3, $c) ...D } # x"),
            ["{", "a", "(", "b", ":", "-1.5e3", "$", "c", ")", "...", "D", "}"]
        );
        assert_eq!(
            texts("a \"b \\\" c\" \"\"\"d \\\"\"\" \" e\"\"\" f é"),
            ["a", "\"b \\\" c\"", "\"\"\"d \\\"\"\" \" e\"\"\"", "f", "é"]
        );
        let ending = |text| tokens(text).1;
        assert_eq!(ending("a # b\n"), Ending::Whole);
        assert_eq!(ending("a # b"), Ending::Comment);
        assert_eq!(ending("a \"b"), Ending::BrokenString);
        assert_eq!(ending("a \"b\\"), Ending::BrokenString);
        assert_eq!(ending("a \"b\nc }"), Ending::BrokenString);
        assert_eq!(ending("a \"\"\"b\n\n\" c"), Ending::BlockString);
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let open = |text| open_brackets(&tokens(text).0);
        assert_eq!(open("{ a(b: \"}}\") # }\n"), 1);
        assert_eq!(open("{ a(b: [1, {c: \"\"\"]\"\"\"}"), 3);
        assert_eq!(open("{ a }"), 0);
        assert_eq!(open("} {"), 0);
    }
}
