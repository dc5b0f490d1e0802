//! How hard a password is to guess, for somebody who knows whose it is (zxcvbn).

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::zxcvbn;

/// What is known of everybody who signs up here.
const SERVICE: &str = "cloakroom";
/// So many words of a person are looked for, each so long at most.
const MAX_WORDS: usize = 40;
const MAX_WORD_CHARS: usize = 100;
/// What is looked at of a password. zxcvbn searches it again for every way to read its symbols as letters: 100
/// characters with all ten symbols take it 0.4 s, what is left here at most 24 ms.
const MAX_CHARS: usize = 64;
const MAX_SYMBOLS: usize = 3;
/// Read as letters by zxcvbn, several of them as more than one. So are digits, which cost little.
const SYMBOLS: &str = "@({[<!|$+%";

/// Why a password whose score is below `wanted` is too weak, for a person to read.
pub(super) fn weakness(password: &str, personal: &[String], wanted: u8) -> Option<String> {
    let words = words(personal);
    let inputs: Vec<&str> = words.iter().map(String::as_str).chain([SERVICE]).collect();
    let estimate = zxcvbn(&bounded(password), &inputs);
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

/// The head of a password, in which only its first few symbols can be read as letters. Each further one becomes a
/// character of its own that nothing is known of, so that no repetition comes or goes.
fn bounded(password: &str) -> Zeroizing<String> {
    let mut readable: Vec<char> = Vec::with_capacity(MAX_SYMBOLS);
    let bounded = password.chars().take(MAX_CHARS).map(|symbol| {
        let Some(place) = SYMBOLS.chars().position(|other| other == symbol) else { return symbol };
        if readable.contains(&symbol) {
            return symbol;
        }
        if readable.len() < MAX_SYMBOLS {
            readable.push(symbol);
            return symbol;
        }
        // For private use, and so far apart that they are no sequence.
        u32::try_from(place).ok().and_then(|place| char::from_u32(0xE000 + 16 * place)).unwrap_or(symbol)
    });
    Zeroizing::new(bounded.collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_symbols_can_be_read_as_letters_and_none_are_mixed_up() {
        assert_eq!(*bounded("p@$$w0rd!"), "p@$$w0rd!");
        let all = bounded(SYMBOLS);
        assert_eq!(all.chars().filter(|&symbol| SYMBOLS.contains(symbol)).count(), MAX_SYMBOLS);
        let twice = bounded(&format!("{SYMBOLS}{SYMBOLS}"));
        assert_eq!(*twice, format!("{}{}", *all, *all), "what was repeated still is");
        let mut different: Vec<char> = all.chars().collect();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), SYMBOLS.chars().count());
        assert_eq!(bounded(&"🦊".repeat(1024)).chars().count(), MAX_CHARS);
    }

    #[test]
    fn what_is_personal_is_known_whole_and_in_its_parts() {
        let words = |personal: &[&str]| words(&personal.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(
            words(&["Anna.Smith@example.org", "ａnna", "Anna B. Smith-Łé"]),
            ["anna.smith@example.org", "anna", "smith", "example", "org", "anna b. smith-łé", "łé"]
        );
        let many: String = (0..1000).map(|number| format!("word{number} ")).collect();
        assert!(words(&[&many, &many]).len() <= MAX_WORDS);
    }
}
