//! Names to show: any text on one line that can be seen.

use crate::code_point::{is_default_ignorable, is_line_separator, is_mark};

/// Characters of a name at most.
pub const MAX_NAME_CHARS: usize = 100;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has more than [`MAX_NAME_CHARS`] characters.
    TooLong,
    /// It has a control character or a line break.
    Control,
    /// It has a character that changes the direction of the text around it.
    Direction,
    /// Nothing of it can be seen.
    Blank,
}

/// A name without the white space around it. Invisible characters are allowed beside visible ones:
/// emoji are joined and styled with them.
///
/// # Errors
/// What is wrong with it.
pub fn name(text: &str) -> Result<&str, NameError> {
    if text.chars().nth(MAX_NAME_CHARS).is_some() {
        return Err(NameError::TooLong);
    }
    if text.chars().any(|c| c.is_control() || is_line_separator(c)) {
        return Err(NameError::Control);
    }
    if text.chars().any(is_directional_override) {
        return Err(NameError::Direction);
    }
    let trimmed = text.trim();
    if trimmed.chars().any(is_visible) { Ok(trimmed) } else { Err(NameError::Blank) }
}

/// Embeddings, overrides and isolates (UAX 9, section 2). The marks U+200E, U+200F and U+061C
/// reach no further than a letter would, and texts in Hebrew and Arabic use them.
fn is_directional_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_visible(c: char) -> bool {
    const BLANK_BRAILLE: char = '\u{2800}';
    !c.is_whitespace() && !is_default_ignorable(c) && !is_mark(c) && c != BLANK_BRAILLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_and_all_scripts_are_names() {
        for good in
            ["Anna Å. 🦊", "👩\u{200d}🚒", "❤\u{fe0f}", "🏴\u{e0067}\u{e0062}\u{e007f}", "מרים \u{200f}(2)", "हिन्दी"]
        {
            assert_eq!(name(good), Ok(good));
        }
        assert_eq!(name("  Anna \u{3000}"), Ok("Anna"));
    }

    #[test]
    fn a_name_can_be_seen_and_stays_on_its_line_and_in_its_direction() {
        for blank in ["", " ", "\u{200b}", "\u{3164}\u{3164}", "\u{1160}", "\u{2800}", "\u{ad} \u{200d}", "\u{301}"] {
            assert_eq!(name(blank), Err(NameError::Blank), "{blank:?}");
        }
        for turned in ["abc\u{202e}cba", "\u{202a}a", "\u{2066}a\u{2069}", "a\u{2068}"] {
            assert_eq!(name(turned), Err(NameError::Direction), "{turned:?}");
        }
        for broken in ["a\nb", "a\u{2028}b", "a\u{2029}b", "a\u{7f}", "a\u{85}b"] {
            assert_eq!(name(broken), Err(NameError::Control), "{broken:?}");
        }
        assert_eq!(name(&"x".repeat(101)), Err(NameError::TooLong));
    }
}
