//! Text on a terminal. What people call themselves must not move the cursor, change the title or hide a line.

use std::borrow::Cow;

use serde::Serialize;

/// `text` with each control character as its escape, such as `\u{1b}`: nothing in it acts on a terminal.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    escape(text, |c| c.escape_default().to_string())
}

/// Pretty JSON, with the control characters escaped that JSON itself allows: those beyond ASCII.
pub(super) fn pretty_json(value: &impl Serialize) -> anyhow::Result<String> {
    let json = serde_json::to_string_pretty(value)?;
    // Outside of strings JSON is ASCII, and inside it has escaped everything below the space.
    let escaped = |c: char| if c == '\n' { "\n".to_owned() } else { format!("\\u{:04x}", u32::from(c)) };
    Ok(escape(&json, escaped).into_owned())
}

fn escape(text: &str, escaped: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            visible.push_str(&escaped(c));
        } else {
            visible.push(c);
        }
    }
    Cow::Owned(visible)
}

/// Control characters of ASCII and Latin-1, the separators of lines, and what turns the direction of writing: it can
/// make a name look like another.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        assert_eq!(visible("Jürgen 東京"), "Jürgen 東京");
        assert_eq!(visible("a\u{1b}]0;b\u{7}\r\n\u{9b}2J\u{202e}"), "a\\u{1b}]0;b\\u{7}\\r\\n\\u{9b}2J\\u{202e}");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "b": "\u{1b}[2J\u{9b}2J\u{7f}\u{202e}\n", "a": ["é"] });
        let json = pretty_json(&value).expect("JSON");
        assert!(!json.chars().any(|c| acts(c) && c != '\n'), "{json:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON"), value);
        assert!(json.starts_with("{\n  \"b\":"), "keys in order: {json}");
    }
}
