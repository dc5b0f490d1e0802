//! How hard a password is to guess, for somebody who knows whose it is (zxcvbn).

use unicode_normalization::UnicodeNormalization;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::zxcvbn;

/// What is known of everybody who signs up here.
const SERVICE: &str = "cloakroom";
/// So many words of a person are looked for, each so long at most.
const MAX_WORDS: usize = 40;
const MAX_WORD_CHARS: usize = 100;
/// zxcvbn's cost grows with the square of the length, and it looks no further by itself either.
const MAX_CHARS: usize = 100;

/// Why a password whose score is below `wanted` is too weak, for a person to read.
pub(super) fn weakness(password: &str, personal: &[String], wanted: u8) -> Option<String> {
    let words = words(personal);
    let inputs: Vec<&str> = words.iter().map(String::as_str).chain([SERVICE]).collect();
    let head: String = password.chars().take(MAX_CHARS).collect();
    let estimate = zxcvbn(&head, &inputs);
    if u8::from(estimate.score()) >= wanted {
        return None;
    }
    let guessed: Vec<&str> = estimate
        .sequence()
        .iter()
        .filter_map(|part| match &part.pattern {
            MatchPattern::Dictionary(word) => Some(word.matched_word.as_str()),
            _ => None,
        })
        .collect();
    let mut reasons = Vec::new();
    if guessed.iter().any(|word| words.iter().any(|own| own == word)) {
        reasons.push("It contains your name, username or e-mail address.".to_owned());
    } else if guessed.contains(&SERVICE) {
        reasons.push("It contains the name of this service.".to_owned());
    }
    if let Some(feedback) = estimate.feedback() {
        reasons.extend(feedback.warning().map(|warning| warning.to_string()));
        reasons.extend(feedback.suggestions().iter().map(ToString::to_string));
    }
    if reasons.is_empty() {
        reasons.push("Add another word or two. Uncommon words are better.".to_owned());
    }
    Some(format!("Too easy to guess: {}", reasons.join(" ")))
}

/// What is personal, whole and in its parts: `anna.smith@example.org` gives `anna` as well.
fn words(personal: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for text in personal {
        let text: String = text.chars().take(MAX_WORD_CHARS).nfkc().collect::<String>().to_lowercase();
        let parts = text.split(|c: char| !c.is_alphanumeric());
        for word in [text.as_str()].into_iter().chain(parts) {
            // One letter is in every password.
            if word.chars().nth(1).is_some() && words.len() < MAX_WORDS && !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
    }
    words
}
