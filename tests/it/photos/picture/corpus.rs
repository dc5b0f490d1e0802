//! Files of many kinds, compared with what another program makes of them: `files/generate.py` has the measurements.

use std::fs;
use std::path::Path;

use cloakroom::photos::picture::{self, Size};

use super::{LIMITS, Shown, mean, prepare, rendition};

/// Of 255: the sizes are encoded anew.
const TOLERANCE: f64 = 3.0;

#[test]
fn images_have_the_size_and_the_colors_that_other_programs_show() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/photos/picture/files");
    let expected = fs::read_to_string(folder.join("expected.tsv")).expect("the measurements");
    let mut failures = Vec::new();
    for line in expected.lines() {
        let [name, values @ ..] = &line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let prepared = prepare(&fs::read(folder.join(name)).expect("an image"));
        let (prepared, values) = match (prepared, values) {
            (Err(_), ["refused"]) => continue,
            (Ok(prepared), [_, _, _, _, _, _]) => (prepared, values),
            (prepared, values) => {
                failures.push(format!("{name}: {:?} for {values:?}", prepared.err()));
                continue;
            }
        };
        let original = rendition(&prepared, Size::Original);
        let [width, height, wanted @ ..] = values else { panic!("{line}") };
        if (original.width.to_string(), original.height.to_string()) != (width.to_string(), height.to_string()) {
            failures.push(format!("{name}: {} x {}", original.width, original.height));
        }
        let found = mean(&Shown::of(rendition(&prepared, Size::Large)).rgba);
        let wanted = wanted.iter().map(|value| value.parse::<f64>().expect("a number"));
        if !wanted.zip(found).all(|(wanted, found)| (wanted - found).abs() <= TOLERANCE) {
            failures.push(format!("{name}: {found:.1?} for {line}"));
        }
        let again = picture::prepare(original.bytes.clone(), &LIMITS).map(|again| again.renditions.last().cloned());
        if again.as_ref().ok().and_then(Option::as_ref) != Some(original) {
            failures.push(format!("{name}: cleaned again, it changes ({:?})", again.err()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
