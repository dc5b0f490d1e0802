//! The Bidi Rule (RFC 5893, section 2), which RFC 8265 applies to usernames.

use icu_properties::CodePointMapData;
use icu_properties::props::BidiClass;

/// Whether `text` has no right-to-left character, or satisfies the rule.
pub(crate) fn satisfies_bidi_rule(text: &str) -> bool {
    let classes: Vec<BidiClass> = text.chars().map(|c| CodePointMapData::<BidiClass>::new().get(c)).collect();
    let has = |class: BidiClass| classes.contains(&class);
    if !has(BidiClass::RightToLeft) && !has(BidiClass::ArabicLetter) && !has(BidiClass::ArabicNumber) {
        return true;
    }
    // Only marks may follow the character that ends the text.
    let last = classes.iter().rev().find(|class| **class != BidiClass::NonspacingMark);
    let (Some(first), Some(last)) = (classes.first().copied(), last.copied()) else { return false };
    match first {
        BidiClass::RightToLeft | BidiClass::ArabicLetter => {
            classes.iter().all(|class| is_right_to_left(*class) || is_neutral(*class))
                && (is_right_to_left(last) || last == BidiClass::EuropeanNumber)
                && !(has(BidiClass::EuropeanNumber) && has(BidiClass::ArabicNumber))
        }
        // A label that begins left to right has no right-to-left character.
        _ => false,
    }
}

fn is_right_to_left(class: BidiClass) -> bool {
    matches!(class, BidiClass::RightToLeft | BidiClass::ArabicLetter | BidiClass::ArabicNumber)
}

fn is_neutral(class: BidiClass) -> bool {
    matches!(
        class,
        BidiClass::EuropeanNumber
            | BidiClass::EuropeanSeparator
            | BidiClass::CommonSeparator
            | BidiClass::EuropeanTerminator
            | BidiClass::OtherNeutral
            | BidiClass::BoundaryNeutral
            | BidiClass::NonspacingMark
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_to_left_text_begins_and_ends_right_to_left() {
        for good in ["anna", "anna-2", "שלום", "שלום2", "مريم", "مريم٣", "a.b_c"] {
            assert!(satisfies_bidi_rule(good), "{good}");
        }
        for bad in ["2שלום", "שלום_", "annaשלום", "שלוםanna", "مريم٣3", "٣anna"] {
            assert!(!satisfies_bidi_rule(bad), "{bad}");
        }
    }
}
