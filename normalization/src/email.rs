//! Email addresses: the text to show, the key that is unique, and the mailbox that mail goes to.

use icu_casemap::CaseMapper;
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _};

use crate::code_point::{is_default_ignorable, is_other, is_separator};
use crate::comparison_key;

/// Bytes of an address at most: RFC 5321, section 4.5.3.1.3, less the angle brackets.
pub const MAX_EMAIL_BYTES: usize = 254;
/// Bytes before the `@` at most: RFC 5321, section 4.5.3.1.1.
const MAX_LOCAL_BYTES: usize = 64;
/// The shortest top-level domain.
const MIN_TOP_LEVEL_CHARS: usize = 2;

/// An address that mail can be sent to.
///
/// Different spellings of one mailbox differ at most in `text` and in the case of `local`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The address to show: as it was typed, without quotation marks and surrounding white space.
    pub text: String,
    /// The form that is equal for all spellings of the mailbox.
    pub key: String,
    /// The part before the `@`: unquoted, in NFKC, with the case that was typed.
    pub local: String,
    /// The domain in A-labels (UTS 46), lower case, without the dot of the root.
    pub domain: String,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailError {
    /// There is none.
    Missing,
    /// It has more than [`MAX_EMAIL_BYTES`] bytes.
    TooLong,
    /// It has a character that may be displayed as nothing at all.
    Invisible,
    /// Its part before the `@` is only an address in quotation marks.
    NeedsQuotes,
    /// It is no address.
    Invalid,
}

/// The address that `text` spells.
///
/// The domain is a host name (RFC 5321, section 4.1.2) in at least two labels, the last one of
/// which is not a number (RFC 3696, section 2); address literals are refused. The part before the
/// `@` is a dot-string, also of non-ASCII characters (RFC 6531). It may stand in quotation marks
/// that it does not need.
///
/// # Errors
/// What is wrong with it.
pub fn email(text: &str) -> Result<Email, EmailError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(EmailError::Missing);
    }
    // RFC 6532, section 3.1, asks for NFC.
    let text: String = text.chars().take(MAX_EMAIL_BYTES + 1).nfc().collect();
    if text.len() > MAX_EMAIL_BYTES {
        return Err(EmailError::TooLong);
    }
    if text.chars().any(is_default_ignorable) {
        return Err(EmailError::Invisible);
    }
    let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Invalid)?;
    let local = parse_local(local)?;
    let (shown_domain, domain) = parse_domain(domain).ok_or(EmailError::Invalid)?;
    let folded = fold(&local);
    if !is_dot_string(&folded) {
        return Err(EmailError::Invalid);
    }
    let email = Email { text: format!("{local}@{shown_domain}"), key: format!("{folded}@{domain}"), local, domain };
    let longest = email.text.len().max(email.key.len()).max(email.local.len() + 1 + email.domain.len());
    if longest > MAX_EMAIL_BYTES {
        return Err(EmailError::TooLong);
    }
    Ok(email)
}

/// The mailbox that an earlier version sent mail to for `text`, if it can still be addressed.
/// That version removed invisible characters from a domain only when it sent a mail.
#[must_use]
pub fn stored_email(text: &str) -> Option<Email> {
    email(text).or_else(|_| email(&text.replace(is_default_ignorable, ""))).ok()
}

/// The key to look an address up by. Text that is no address has one, too: no account has that
/// key, unless an earlier version stored it.
#[must_use]
pub fn email_lookup_key(text: &str) -> String {
    stored_email(text).map_or_else(|| comparison_key(text.trim()), |email| email.key)
}

fn parse_local(text: &str) -> Result<String, EmailError> {
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let unquoted = match quoted {
        Some(quoted) => unquote(quoted).ok_or(EmailError::Invalid)?,
        None => text.to_owned(),
    };
    let local: String = unquoted.nfkc().collect();
    match (is_dot_string(&local), quoted) {
        (true, _) => Ok(local),
        (false, Some(_)) => Err(EmailError::NeedsQuotes),
        (false, None) => Err(EmailError::Invalid),
    }
}

/// The content of a quoted string, without its backslashes.
fn unquote(quoted: &str) -> Option<String> {
    let (mut content, mut chars) = (String::new(), quoted.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => content.push(chars.next()?),
            c => content.push(c),
        }
    }
    Some(content)
}

/// Whether it is a dot-string (RFC 5321, section 4.1.2) of at most [`MAX_LOCAL_BYTES`].
fn is_dot_string(text: &str) -> bool {
    text.len() <= MAX_LOCAL_BYTES && text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char))
}

fn is_atom_char(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    }
    !is_other(c) && !is_separator(c) && !is_default_ignorable(c)
}

/// NFKC and full case folding, until both leave it as it is.
fn fold(text: &str) -> String {
    let mut folded = text.to_owned();
    loop {
        let next: String = CaseMapper::new().fold_string(&folded).nfkc().collect();
        if next == folded {
            return folded;
        }
        folded = next;
    }
}

/// The domain to show, and in A-labels.
fn parse_domain(text: &str) -> Option<(String, String)> {
    let (uts46, hyphens) = (Uts46::new(), Hyphens::CheckFirstLast);
    let ascii = uts46.to_ascii(text.as_bytes(), AsciiDenyList::STD3, hyphens, DnsLength::VerifyAllowRootDot).ok()?;
    let ascii = ascii.strip_suffix('.').unwrap_or(&ascii).to_owned();
    let (_, top_level) = ascii.rsplit_once('.')?;
    if top_level.len() < MIN_TOP_LEVEL_CHARS || !top_level.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let shown = if text.is_ascii() {
        text.to_owned()
    } else {
        // A label that mixes scripts is shown in ASCII.
        let is_clear = |label: &[char]| {
            let label: String = label.iter().collect();
            label.as_str().check_restriction_level(RestrictionLevel::HighlyRestrictive)
        };
        let (shown, valid) =
            uts46.to_user_interface(text.as_bytes(), AsciiDenyList::STD3, hyphens, |label, _, _| is_clear(label));
        valid.ok()?;
        shown.into_owned()
    };
    Some((shown.strip_suffix('.').unwrap_or(&shown).to_owned(), ascii))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        email(text).unwrap_or_else(|error| panic!("{text:?}: {error:?}")).key
    }

    #[test]
    fn spellings_of_one_mailbox_have_one_key() {
        for (one, other) in [
            ("anna@example.org", "Anna@EXAMPLE.org"),
            ("anna@example.org", " anna@example.org\t"),
            ("anna@example.org", "\u{3000}anna@example.org\u{a0}"),
            ("anna@example.org", "anna@example.org."),
            ("anna@example.org", "anna@example。org"),
            ("anna@example.org", "anna@ｅｘａｍｐｌｅ.org"),
            ("anna@example.org", "ａｎｎａ@example.org"),
            ("anna@example.org", "\"anna\"@example.org"),
            ("anna@example.org", "\"an\\na\"@example.org"),
            ("q.x@example.org", "\"q.x\"@example.org"),
            ("ann@müller.example", "ann@xn--mller-kva.example"),
            ("ann@müller.example", "ann@XN--MLLER-KVA.example"),
            ("ann@müller.example", "ann@MÜLLER.example"),
            ("ann@müller.example", "ann@mu\u{308}ller.example"),
            ("jörg@example.org", "JO\u{308}RG@example.org"),
            ("straße@example.org", "STRASSE@example.org"),
            ("οδυσσευς@example.org", "ΟΔΥΣΣΕΥΣ@example.org"),
            ("ﬁsh@example.org", "fish@example.org"),
        ] {
            assert_eq!(key(one), key(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn different_mailboxes_have_different_keys() {
        for (one, other) in [
            ("anna@example.org", "an.na@example.org"),
            ("anna@example.org", "anna+x@example.org"),
            ("anna@faß.example", "anna@fass.example"),
            ("anna@example.org", "anna@example.org.example"),
        ] {
            assert_ne!(key(one), key(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_no_mail_can_be_sent_to_is_refused() {
        for (text, error) in [
            ("", EmailError::Missing),
            (" \t", EmailError::Missing),
            ("anna", EmailError::Invalid),
            ("@example.org", EmailError::Invalid),
            ("anna@", EmailError::Invalid),
            ("anna@localhost", EmailError::Invalid),
            ("anna@.example.org", EmailError::Invalid),
            ("anna@example..org", EmailError::Invalid),
            ("anna@example.org..", EmailError::Invalid),
            ("anna@-example.org", EmailError::Invalid),
            ("anna@example-.org", EmailError::Invalid),
            ("anna@exam_ple.org", EmailError::Invalid),
            ("anna@exam`ple.org", EmailError::Invalid),
            ("anna@exam ple.org", EmailError::Invalid),
            ("anna@123.456", EmailError::Invalid),
            ("anna@127.0.0.1", EmailError::Invalid),
            ("anna@1.0x7f", EmailError::Invalid),
            ("anna@[127.0.0.1]", EmailError::Invalid),
            ("anna@[IPv6:::1]", EmailError::Invalid),
            ("anna@example.c", EmailError::Invalid),
            ("anna@xn--a.example", EmailError::Invalid),
            ("an na@example.org", EmailError::Invalid),
            (".anna@example.org", EmailError::Invalid),
            ("anna.@example.org", EmailError::Invalid),
            ("an..na@example.org", EmailError::Invalid),
            ("an…na@example.org", EmailError::Invalid),
            ("an(na)@example.org", EmailError::Invalid),
            ("an⑴na@example.org", EmailError::Invalid),
            ("an\nna@example.org", EmailError::Invalid),
            ("an\u{0}na@example.org", EmailError::Invalid),
            ("an\u{2028}na@example.org", EmailError::Invalid),
            ("an\u{e000}na@example.org", EmailError::Invalid),
            ("Anna <anna@example.org>", EmailError::Invalid),
            ("anna@example.org, eve@example.org", EmailError::Invalid),
            ("anna@example.org\r\nBcc: eve@example.org", EmailError::Invalid),
            ("\"\"@example.org", EmailError::NeedsQuotes),
            ("\"@example.org", EmailError::Invalid),
            ("\"an\"na\"@example.org", EmailError::Invalid),
            ("\"anna\\\"@example.org", EmailError::Invalid),
            ("\"an na\"@example.org", EmailError::NeedsQuotes),
            ("\"a\\\"b<i>\"@example.org", EmailError::NeedsQuotes),
            ("\"anna@home\"@example.org", EmailError::NeedsQuotes),
        ] {
            assert_eq!(email(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_are_refused_everywhere() {
        let invisible = "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{202e}\
                         \u{2060}\u{2066}\u{206f}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{1d173}\u{e0061}\u{e0100}";
        for c in invisible.chars() {
            for text in
                [format!("an{c}na@example.org"), format!("anna@exam{c}ple.org"), format!("{c}anna@example.org{c}")]
            {
                assert_eq!(email(&text), Err(EmailError::Invisible), "{text:?}");
                assert_eq!(stored_email(&text).map(|email| email.key).as_deref(), Some("anna@example.org"));
                assert_eq!(email_lookup_key(&text), "anna@example.org");
            }
        }
    }

    #[test]
    fn lengths_are_those_of_rfc_5321() {
        let local = "a".repeat(64);
        assert!(email(&format!("{local}@example.org")).is_ok());
        assert_eq!(email(&format!("{local}a@example.org")), Err(EmailError::Invalid));
        assert_eq!(email(&format!("{}@example.org", "ß".repeat(33))), Err(EmailError::Invalid));
        assert!(email(&format!("a@{}.org", "x".repeat(63))).is_ok());
        assert_eq!(email(&format!("a@{}.org", "x".repeat(64))), Err(EmailError::Invalid));
        let domain = |labels: usize| format!("{}.org", vec!["x".repeat(49); labels].join("."));
        assert!(email(&format!("a@{}", domain(4))).is_ok());
        assert_eq!(email(&format!("a@{}", domain(5))), Err(EmailError::TooLong));
        assert_eq!(email(&"x".repeat(1_000_000)), Err(EmailError::TooLong));
        // Short to read, and long in A-labels.
        let wide = vec!["ü".repeat(40); 5].join(".");
        assert!(email(&format!("{local}@{wide}.org")).is_err());
    }

    #[test]
    fn it_is_shown_as_it_was_typed() {
        for (typed, shown) in [
            (" Anna@Example.ORG. ", "Anna@Example.ORG"),
            ("\"q.x\"@example.org", "q.x@example.org"),
            ("Jo\u{308}rg@MÜLLER.example", "Jörg@müller.example"),
            ("ann@xn--mller-kva.example", "ann@xn--mller-kva.example"),
            // Cyrillic and Latin in one label.
            ("ann@gооgle.example", "ann@xn--ggle-55da.example"),
        ] {
            assert_eq!(email(typed).map(|email| email.text), Ok(shown.to_owned()), "{typed}");
        }
    }

    #[test]
    fn a_canonical_form_is_its_own() {
        let pieces = [
            "a",
            "A",
            "ß",
            "ẞ",
            "İ",
            "ı",
            "ſ",
            "K",
            "ǰ",
            "ΐ",
            "ς",
            "Σ",
            "ﬃ",
            "①",
            "Ａ",
            "é",
            "e\u{301}",
            "\u{345}",
            ".",
            "-",
            "+",
            "\"",
            "\\",
            "_",
            "م",
            "ש",
            "中",
            "が",
            "か\u{3099}",
            "\u{200d}",
            " ",
            "xn--",
            "9",
            "。",
            "ӏ",
            "Ꭰ",
            "ꭰ",
        ];
        let mut state = 7_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        let mut accepted = 0;
        for _ in 0..20_000 {
            let mut part = || (0..=next(4)).map(|_| pieces[next(pieces.len())]).collect::<String>();
            let text = format!("{}@{}.{}", part(), part(), "example");
            let Ok(canonical) = email(&text) else { continue };
            accepted += 1;
            let again = email(&canonical.text);
            assert_eq!(again.as_ref(), Ok(&canonical), "{text:?}");
            for form in [&canonical.key, &format!("{}@{}", canonical.local, canonical.domain)] {
                let again = email(form).unwrap_or_else(|error| panic!("{text:?} {form:?}: {error:?}"));
                assert_eq!((&again.key, &again.domain), (&canonical.key, &canonical.domain), "{text:?}");
            }
            assert_eq!(email_lookup_key(&text), canonical.key);
        }
        assert!(accepted > 1_000, "{accepted}");
    }
}
