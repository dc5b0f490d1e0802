//! Properties of code points.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, Script};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Whether a code point may be displayed as nothing at all: zero-width characters, bidirectional
/// controls, variation selectors, tags, soft hyphens, Hangul fillers.
pub(crate) fn is_default_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether it is a control, a format character, a surrogate, for private use, or unassigned.
pub(crate) fn is_other(c: char) -> bool {
    GeneralCategoryGroup::Other.contains(category(c))
}

/// Whether it is a space, or separates lines or paragraphs.
pub(crate) fn is_separator(c: char) -> bool {
    GeneralCategoryGroup::Separator.contains(category(c))
}

/// Whether it combines with the character before it.
pub(crate) fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(category(c))
}

/// Whether it is a mark of one script, such as a virama, and none that combines with any letter.
pub(crate) fn is_mark_of_one_script(c: char) -> bool {
    let script = CodePointMapData::<Script>::new().get(c);
    is_mark(c) && script != Script::Inherited && script != Script::Common
}

/// Whether it separates lines or paragraphs.
pub(crate) fn is_line_separator(c: char) -> bool {
    matches!(category(c), GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}
