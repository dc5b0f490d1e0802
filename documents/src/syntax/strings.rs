//! The values of strings and block strings (GraphQL, section 2.9.4).

/// A string's value, and its length in the text with the quotes at its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) value: String,
    pub(super) length: usize,
}

/// A string that is none, and the byte at which it ceases to be one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) message: String,
    pub(super) at: usize,
}

const UNTERMINATED: &str = "Unterminated string.";

/// Reads a string, from behind its first quote.
pub(super) fn string(text: &str) -> Result<Read, Invalid> {
    let mut value = String::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.find(['"', '\\', '\n', '\r']);
        let Some(end) = end else { return Err(Invalid { message: UNTERMINATED.to_owned(), at: text.len() }) };
        value.push_str(rest.get(..end).unwrap_or_default());
        at += end;
        match rest.as_bytes().get(end) {
            Some(b'"') => return Ok(Read { value, length: at + 1 }),
            Some(b'\\') => {
                let (character, length) = escape(text.get(at..).unwrap_or_default())
                    .ok_or_else(|| Invalid { message: invalid_escape(text.get(at..).unwrap_or_default()), at })?;
                value.push(character);
                at += length;
            }
            _ => return Err(Invalid { message: UNTERMINATED.to_owned(), at }),
        }
    }
}

/// The character of an escape sequence, and the sequence's length.
fn escape(text: &str) -> Option<(char, usize)> {
    let character = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(text.get(2..)?).map(|(character, length)| (character, length + 2)),
        _ => return None,
    };
    Some((character, 2))
}

/// `{1F600}`, `00e9`, or the two halves of a surrogate pair.
fn unicode_escape(text: &str) -> Option<(char, usize)> {
    if let Some(inside) = text.strip_prefix('{') {
        // However many zeros it begins with, the number has eight digits at most.
        let digits = inside.get(..inside.find('}')?)?;
        let significant = digits.trim_start_matches('0');
        if digits.is_empty() || significant.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = if significant.is_empty() { 0 } else { u32::from_str_radix(significant, 16).ok()? };
        return Some((char::from_u32(number)?, digits.len() + 2));
    }
    let first = four_digits(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 4));
    }
    let second = four_digits(text.get(4..)?.strip_prefix("\\u")?)?;
    let is_pair = (0xD800..0xDC00).contains(&first) && (0xDC00..0xE000).contains(&second);
    let number = is_pair.then(|| 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?;
    Some((char::from_u32(number)?, 10))
}

fn four_digits(text: &str) -> Option<u32> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

fn invalid_escape(text: &str) -> String {
    if text.starts_with("\\u") {
        let sequence: String = text.chars().take(6).take_while(|character| *character != '"').collect();
        return format!("Invalid Unicode escape sequence: \"{sequence}\".");
    }
    let sequence: String = text.chars().take(2).collect();
    format!("Invalid character escape sequence: \"{sequence}\".")
}

/// Reads a block string, from behind its first quotes.
pub(super) fn block_string(text: &str) -> Result<Read, Invalid> {
    let mut raw = String::new();
    let mut rest = text;
    loop {
        let Some(quotes) = rest.find("\"\"\"") else {
            return Err(Invalid { message: UNTERMINATED.to_owned(), at: text.len() });
        };
        let (before, from_quotes) = rest.split_at_checked(quotes).unwrap_or((rest, ""));
        rest = from_quotes.get(3..).unwrap_or_default();
        if let Some(before) = before.strip_suffix('\\') {
            raw.push_str(before);
            raw.push_str("\"\"\"");
        } else {
            raw.push_str(before);
            return Ok(Read { value: dedent(&raw), length: text.len() - rest.len() });
        }
    }
}

/// BlockStringValue(): without the common indentation, and without blank lines around.
fn dedent(raw: &str) -> String {
    let lines: Vec<&str> = lines(raw);
    let indent = |line: &&str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let is_blank = |line: &&str| indent(line) == line.len();
    let common = lines.iter().skip(1).filter(|line| !is_blank(line)).map(indent).min().unwrap_or(0);
    let dedented = lines.iter().enumerate().map(|(number, line)| match number {
        0 => *line,
        // A blank line may be shorter.
        _ => line.get(common..).unwrap_or_default(),
    });
    let (Some(first), Some(last)) =
        (lines.iter().position(|line| !is_blank(line)), lines.iter().rposition(|line| !is_blank(line)))
    else {
        return String::new();
    };
    dedented.skip(first).take(last - first + 1).collect::<Vec<_>>().join("\n")
}

fn lines(raw: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = raw;
    while let Some(end) = rest.find(['\n', '\r']) {
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        lines.push(line);
        rest = after.strip_prefix("\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    lines.push(rest);
    lines
}
