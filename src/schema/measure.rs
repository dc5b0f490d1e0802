//! Counts what a text has, before it is parsed.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) tokens: u32,
    pub(super) nesting: u32,
    pub(super) longest_word: usize,
    /// True if a block string has no end.
    pub(super) is_unfinished: bool,
}

/// Counts tokens and the deepest nesting of brackets, as the GraphQL specification's section 2.1 has them, up to the
/// first token that is one too many, or has no end. What is no token is left for the parser to refuse.
pub(super) fn measure(query: &str, max_tokens: u32) -> Size {
    let (mut size, mut depth) = (Size::default(), 0_u32);
    let mut rest = query.as_bytes();
    while let [byte, after @ ..] = rest {
        if size.tokens > max_tokens {
            break;
        }
        let length = match byte {
            b'#' => {
                rest = after
                    .get(after.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(after.len())..)
                    .unwrap_or(&[]);
                continue;
            }
            b'"' if rest.starts_with(BLOCK) => match block_string_length(rest) {
                Some(length) => length,
                None => {
                    size.is_unfinished = true;
                    break;
                }
            },
            b'"' => string_length(rest),
            b'.' if after.starts_with(b"..") => 3,
            b if is_word(*b) || *b == b'-' => 1 + after.iter().take_while(|b| is_word(**b) || **b == b'.').count(),
            b',' | b' ' | b'\t' | b'\r' | b'\n' => {
                rest = after;
                continue;
            }
            _ => 1,
        };
        if is_word(*byte) || *byte == b'-' {
            size.longest_word = size.longest_word.max(length);
        }
        match byte {
            b'{' | b'(' | b'[' => depth = depth.saturating_add(1),
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        size.tokens = size.tokens.saturating_add(1);
        size.nesting = size.nesting.max(depth);
        rest = rest.get(length..).unwrap_or(&[]);
    }
    size
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const BLOCK: &[u8] = b"\"\"\"";
const ESCAPED_BLOCK: &[u8] = b"\\\"\"\"";

/// The length of the string that `rest` begins with, quotes included; an unfinished one has all the rest.
fn string_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    rest.len()
}

/// The length of the block string that `rest` begins with, quotes included, if it has an end.
fn block_string_length(rest: &[u8]) -> Option<usize> {
    let mut at = BLOCK.len();
    while let Some(ahead) = rest.get(at..).filter(|ahead| !ahead.is_empty()) {
        at += match ahead {
            _ if ahead.starts_with(BLOCK) => return Some(at + BLOCK.len()),
            _ if ahead.starts_with(ESCAPED_BLOCK) => ESCAPED_BLOCK.len(),
            _ => 1,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(query: &str) -> Size {
        measure(query, u32::MAX)
    }

    #[test]
    fn a_text_is_walked_to_the_first_token_that_is_one_too_many_or_has_no_end() {
        assert_eq!(measure(&"a ".repeat(200_000), 100).tokens, 101);
        for unfinished in ["\"\"\"", "\"\"\"\" [[", "a \"\"\" \\\"\"\" \"\" b"] {
            assert!(measured(unfinished).is_unfinished, "{unfinished}");
        }
    }

    #[test]
    fn tokens_and_nesting_are_counted_as_the_specification_has_them() {
        let size = |tokens, nesting, longest_word| Size { tokens, nesting, longest_word, is_unfinished: false };
        assert_eq!(measured("{ hello }"), size(3, 1, 5));
        assert_eq!(measured("query Q($a: Int = -1.5e3) { f(a: $a) @x ...F }"), size(23, 2, 6));
        assert_eq!(measured("# { { {\n{ a(s: \"} \\\" { #\") , }"), size(8, 2, 1));
        assert_eq!(measured("{ a(s: \"\"\"x \\\"\"\" { \"\"\") }"), size(8, 2, 1));
        assert_eq!(measured("\"unfinished"), size(1, 0, 0));
        assert_eq!(measured("[[[["), size(4, 4, 0));
        assert_eq!(measured("é"), size(2, 0, 0));
    }
}
