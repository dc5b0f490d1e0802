//! Usernames: the UsernameCaseMapped profile (RFC 8265, section 3.3), and look-alikes (UTS 39).

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _};

use crate::bidi::satisfies_bidi_rule;
use crate::code_point::{is_default_ignorable, is_mark, is_mark_of_one_script};
use crate::comparison_key;

/// Characters of a username at least.
pub const MIN_USERNAME_CHARS: usize = 3;
/// Characters of a username at most.
pub const MAX_USERNAME_CHARS: usize = 32;
/// Characters of a skeleton that are compared.
const MAX_SKELETON_CHARS: usize = 255;

/// A username that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    /// The name to show, with the case that was typed.
    pub text: String,
    /// The form that is unique.
    pub key: String,
}

/// What is wrong with a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsernameError {
    /// There is none.
    Missing,
    /// It has fewer than [`MIN_USERNAME_CHARS`] characters.
    TooShort,
    /// It has more than [`MAX_USERNAME_CHARS`] characters.
    TooLong,
    /// It has a character that no username has.
    Character,
    /// It mixes scripts that are not written together.
    Scripts,
    /// It mixes directions of writing (RFC 5893).
    Direction,
}

/// The username that `text` spells.
///
/// Compatibility characters are replaced by what they stand for (NFKC), of which the width mapping
/// of RFC 8265 is a part; then letters are compared in lower case. All characters have the
/// identifier status Allowed, and together the restriction level Highly Restrictive (UTS 39,
/// sections 3.1 and 5.2).
///
/// # Errors
/// What is wrong with it.
pub fn username(text: &str) -> Result<Username, UsernameError> {
    // NFKC makes up to 18 characters of one, and one of up to 4. Far too long text is not read to
    // its end.
    let text = text.chars().take(4 * MAX_USERNAME_CHARS + 1).nfkc().take(MAX_USERNAME_CHARS + 1);
    let text: String = text.collect();
    match text.chars().count() {
        0 => return Err(UsernameError::Missing),
        chars if chars > MAX_USERNAME_CHARS => return Err(UsernameError::TooLong),
        chars if chars < MIN_USERNAME_CHARS => return Err(UsernameError::TooShort),
        _ => {}
    }
    let key = comparison_key(&text);
    let starts_well = text.chars().next().is_some_and(|c| c.is_alphanumeric() && !is_mark(c));
    if !starts_well || !text.chars().all(is_username_char) || key.chars().count() > 2 * MAX_USERNAME_CHARS {
        return Err(UsernameError::Character);
    }
    for form in [&text, &key] {
        match form.as_str().detect_restriction_level() {
            RestrictionLevel::Unrestricted => return Err(UsernameError::Character),
            level if level > RestrictionLevel::HighlyRestrictive => return Err(UsernameError::Scripts),
            _ => {}
        }
    }
    if !satisfies_bidi_rule(&key) {
        return Err(UsernameError::Direction);
    }
    Ok(Username { text, key })
}

fn is_username_char(c: char) -> bool {
    let expected = c.is_alphanumeric() || is_mark_of_one_script(c) || matches!(c, '.' | '-' | '_');
    expected && !is_default_ignorable(c)
}

/// The forms in which usernames that look alike are equal (UTS 39, section 4), in order.
///
/// A name of ASCII characters has one. Another name looks different in lower case, in upper case
/// and as it is shown, so it has up to three, and none of them may be another name's.
#[must_use]
pub fn skeletons(username: &str) -> BTreeSet<String> {
    let lower = username.to_lowercase();
    if username.is_ascii() {
        return BTreeSet::from([skeleton(&lower)]);
    }
    let upper: String = username.chars().map(upper_case).collect();
    [lower.as_str(), &upper, username].into_iter().map(skeleton).collect()
}

/// The upper case letter; `ß` has none, and does not look like two letters.
fn upper_case(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(letter), None) => letter,
        _ => c,
    }
}

/// The skeleton without case: the one of UTS 39 has upper case letters in it.
fn skeleton(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_default_ignorable(*c)).collect();
    let lower = unicode_security::skeleton(&visible).collect::<String>().to_lowercase();
    unicode_security::skeleton(&lower).take(MAX_SKELETON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_username_have_one_key() {
        let key = |text| username(text).expect("a good username").key;
        for (one, other) in [
            ("anna", "Anna"),
            ("anna", "Ａｎｎａ"),
            ("JOSÉ", "jose\u{301}"),
            ("jos.k", "Jos.\u{212a}"),
            ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
            ("カタカナ", "ｶﾀｶﾅ"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        // RFC 8265, section 3.5, examples 4 and 5.
        assert_ne!(key("fussball"), key("fußball"));
    }

    #[test]
    fn names_of_all_living_scripts_can_be_chosen() {
        for good in [
            "anna",
            "Zoë_1.x-y",
            "Łukasz-東京",
            "株式会社",
            "やまだ太郎",
            "カタカナ",
            "김철수",
            "мария",
            "Μαρία",
            "הדס",
            "مريم",
            "हिन्दी",
            "தமிழ்",
            "ไทย",
            "user-abcdefghij",
            "9lives",
        ] {
            let name = username(good).unwrap_or_else(|error| panic!("{good}: {error:?}"));
            assert_eq!(name.text, good);
            assert_eq!(username(&name.key).map(|again| again.key), Ok(name.key));
        }
    }

    #[test]
    fn names_that_cannot_be_seen_or_told_apart_are_refused() {
        for (text, error) in [
            ("", UsernameError::Missing),
            ("ab", UsernameError::TooShort),
            (&*"a".repeat(33), UsernameError::TooLong),
            (&*"㍿".repeat(9), UsernameError::TooLong),
            ("-anna", UsernameError::Character),
            ("an na", UsernameError::Character),
            (" anna", UsernameError::Character),
            ("anna@home", UsernameError::Character),
            ("an\nna", UsernameError::Character),
            ("admin\u{1160}", UsernameError::Character),
            ("admin\u{115f}", UsernameError::Character),
            ("\u{3164}\u{3164}\u{3164}", UsernameError::Character),
            ("ad\u{ffa0}min", UsernameError::Character),
            ("ad\u{200b}min", UsernameError::Character),
            ("ad\u{ad}min", UsernameError::Character),
            ("ad\u{200d}min", UsernameError::Character),
            ("admin\u{fe0f}", UsernameError::Character),
            ("admin\u{202e}", UsernameError::Character),
            ("admin\u{e0061}", UsernameError::Character),
            ("a\u{336}dmin", UsernameError::Character),
            ("аdmin", UsernameError::Scripts),
            ("аdmin2", UsernameError::Scripts),
            ("adminα", UsernameError::Scripts),
            ("αдмин", UsernameError::Scripts),
            ("ᴀᴅᴍɪɴ", UsernameError::Character),
            ("ᚠᚢᚦ", UsernameError::Character),
            ("🦊🦊🦊", UsernameError::Character),
            ("2הדס", UsernameError::Direction),
            ("הדס_", UsernameError::Direction),
        ] {
            assert_eq!(username(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        let alike = |one: &str, other: &str| !skeletons(one).is_disjoint(&skeletons(other));
        for (one, other) in [
            ("сосо", "coco"),
            ("СОМА", "coma"),
            ("раураІ", "paypal"),
            ("ѕсоре", "SCOPE"),
            ("Ѕсоре", "scope"),
            ("admin\u{1160}", "admin"),
            ("аdmin", "Admin"),
            ("ⲟⲟⲟ", "ooo"),
        ] {
            assert!(alike(one, other), "{one} {other}");
        }
        for (one, other) in [("мария", "maria"), ("zoë", "zoe"), ("anna", "hanna"), ("fußball", "fussball")] {
            assert!(!alike(one, other), "{one} {other}");
        }
        assert_eq!(skeletons("Anna.B-2"), skeletons("ANNA.b-2"));
        assert_eq!(skeletons("Anna").len(), 1);
        assert!(skeletons(&"ﷺ".repeat(200)).iter().all(|skeleton| skeleton.chars().count() <= MAX_SKELETON_CHARS));
    }
}
