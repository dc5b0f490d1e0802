//! What an author says of a photo, and the #tags in it.
//!
//! A tag is a `#` that no letter, digit or underscore stands before, and the letters, digits, marks and underscores
//! after it, one letter at least: as in the hashtag syntax of Unicode (UTS #31, section 6), where it is `#` as well.
//! Two tags are the same if they are without regard to case and compatibility (`#Straße`, `#STRASSE`, `#ｓｔｒａｓｓｅ`).

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::error::{UserError, UserErrorCode};

/// Characters of a caption at most.
pub const MAX_CHARS: usize = 2000;
/// Tags of a caption at most.
pub const MAX_TAGS: usize = 30;
/// Characters of a tag at most, in the form that is compared.
pub const MAX_TAG_CHARS: usize = 100;

/// A tag of a caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// In lower case, to be shown.
    pub text: String,
    /// In the form that compares.
    pub key: String,
}

/// A caption as it is kept: without space around it, with LF between lines; `None` for nothing.
///
/// # Errors
/// What is wrong with it, at the place `field` of the input.
pub(super) fn check(field: &[String], text: Option<&str>) -> Result<Option<String>, UserError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let fault = |code, message: String| UserError { code, field: Some(field.to_vec()), message };
    let text = text.replace("\r\n", "\n");
    if text.chars().nth(MAX_CHARS).is_some() {
        let found = text.chars().count();
        let message = format!("A caption has at most {MAX_CHARS} characters; this one has {found}.");
        return Err(fault(UserErrorCode::TooLong, message));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        let message = "A caption has no control characters but line breaks and tabs.";
        return Err(fault(UserErrorCode::Invalid, message.to_owned()));
    }
    let tags = tags(&text);
    if tags.len() > MAX_TAGS {
        let message = format!("A caption has at most {MAX_TAGS} different tags; this one has {}.", tags.len());
        return Err(fault(UserErrorCode::LimitReached, message));
    }
    if tags.iter().any(|tag| tag.key.chars().nth(MAX_TAG_CHARS).is_some()) {
        let message = format!("A tag has at most {MAX_TAG_CHARS} characters.");
        return Err(fault(UserErrorCode::TooLong, message));
    }
    Ok(Some(text))
}

/// The tags of a caption, in the order of their first appearance, each once.
#[must_use]
pub fn tags(caption: &str) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    let (mut rest, mut before) = (caption, None);
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        if is_hash(c) && !before.is_some_and(|c| is_of_word(c) || is_hash(c)) {
            let length = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            let word = rest.get(..length).unwrap_or_default();
            if word.chars().any(char::is_alphabetic) {
                let tag = Tag { text: word.nfc().collect::<String>().to_lowercase(), key: key_of(word) };
                if !tags.iter().any(|known| known.key == tag.key) {
                    tags.push(tag);
                }
            }
        }
        before = Some(c);
    }
    tags
}

/// The form in which tags compare; a `#` before it is left out.
#[must_use]
pub fn key_of(tag: &str) -> String {
    let tag: String = tag.strip_prefix(is_hash).unwrap_or(tag).nfkc().collect();
    // Upper case first: as case folding does, it makes one of ß and ss, and of the forms of sigma.
    tag.to_uppercase().to_lowercase().nfkc().collect()
}

fn is_hash(c: char) -> bool {
    matches!(c, '#' | '＃')
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(caption: &str) -> Vec<String> {
        tags(caption).into_iter().map(|tag| tag.text).collect()
    }

    #[test]
    fn tags_are_words_after_a_hash() {
        assert_eq!(
            texts("#Sea and #sun_set, #2026x! (#Ünïcode) #日本 #नमस्ते"),
            ["sea", "sun_set", "2026x", "ünïcode", "日本", "नमस्ते"]
        );
        assert_eq!(texts("a#b c&#39; ##double #123 # #- http://x/#frag"), ["frag"]);
        assert_eq!(texts("#one#two ＃three"), ["one", "three"]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn tags_are_the_same_whatever_their_case_and_form() {
        assert_eq!(texts("#Straße #STRASSE #ｓｔｒａｓｓｅ"), ["straße"]);
        assert_eq!(texts("#ΟΔΟΣ #οδος #οδοσ"), ["οδος"]);
        assert_eq!(texts("#Cafe\u{301} #café"), ["café"]);
        assert_eq!(key_of("#Sea"), "sea");
    }

    #[test]
    fn a_caption_is_kept_without_space_around_it_and_within_its_limits() {
        let check = |text: &str| check(&["caption".to_owned()], Some(text));
        assert_eq!(check(" a\r\nb \n"), Ok(Some("a\nb".to_owned())));
        assert_eq!(check(" \n"), Ok(None));
        assert_eq!(check(&"é".repeat(MAX_CHARS)), Ok(Some("é".repeat(MAX_CHARS))));
        let code = |text: &str| check(text).map_err(|fault| fault.code).expect_err("refused");
        assert_eq!(code(&"é".repeat(MAX_CHARS + 1)), UserErrorCode::TooLong);
        assert_eq!(code("a\0b"), UserErrorCode::Invalid);
        assert_eq!(code(&format!("#{}", "a".repeat(MAX_TAG_CHARS + 1))), UserErrorCode::TooLong);
        let many: String = (0..=MAX_TAGS).map(|n| format!("#t{n} ")).collect();
        assert_eq!(code(&many), UserErrorCode::LimitReached);
    }
}
