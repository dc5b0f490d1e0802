//! Creates the file of a new migration from `template.rs`, and registers it in `lib.rs`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

const TEMPLATE: &str = include_str!("template.rs");
const MAX_NAME: usize = 60;

/// Creates a migration in the folder `src`. `today` is a date such as 20261130. Returns the name of
/// the module.
///
/// # Errors
/// A name that is not made of lower-case words, and those of the file system.
pub(crate) fn generate(src: &Path, name: &str, today: u32) -> io::Result<String> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if name.len() > MAX_NAME || !name.split('_').all(is_word) {
        return Err(io::Error::other(format!(
            "NAME is up to {MAX_NAME} lower-case letters, digits and underscores between words, such as add_user_locale"
        )));
    }
    let path = src.join("lib.rs");
    let list = fs::read_to_string(&path)?;
    let last = list.lines().filter_map(date_and_number).max().unwrap_or_default();
    let module = format!("m{}_{:06}_{name}", today.max(last.0), last.1 + 1);
    let registered = insert_after_last(&list, "mod m", &format!("mod {module};"))
        .and_then(|list| insert_after_last(&list, "Box::new(m", &format!("            Box::new({module}::Migration),")))
        .ok_or_else(|| io::Error::other(format!("{} has no list of migrations", path.display())))?;
    File::create_new(src.join(format!("{module}.rs")))?.write_all(TEMPLATE.as_bytes())?;
    fs::write(&path, registered)?;
    Ok(module)
}

/// The date and the number in a line such as `mod m20261120_000001_users;`.
fn date_and_number(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.strip_prefix("mod m")?.splitn(3, '_');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The text with this line behind the last one that begins so; `None` if none does.
fn insert_after_last(text: &str, beginning: &str, line: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().rposition(|line| line.trim_start().starts_with(beginning))?;
    lines.insert(at + 1, line);
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of the list of migrations, in a folder of its own.
    fn copy() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("lib.rs"), include_str!("lib.rs")).expect("it is written");
        folder
    }

    #[test]
    fn a_migration_gets_a_file_and_its_place_in_the_list() {
        let folder = copy();
        let first = generate(folder.path(), "add_user_locale", 29991231).expect("it is created");
        let second = generate(folder.path(), "notes", 20000101).expect("it is created");
        assert!(first.starts_with("m29991231_0000") && first.ends_with("_add_user_locale"), "{first}");
        assert!(second > first, "{second} comes later, whatever the clock says");
        let list = fs::read_to_string(folder.path().join("lib.rs")).expect("it is there");
        let lines = |module: &str| [format!("mod {module};"), format!("            Box::new({module}::Migration),")];
        for (line, next) in lines(&first).into_iter().zip(lines(&second)) {
            assert!(list.contains(&format!("{line}\n{next}\n")), "{list}");
        }
        for module in [first, second] {
            let file = fs::read_to_string(folder.path().join(format!("{module}.rs"))).expect("a file");
            assert_eq!(file, TEMPLATE);
        }
    }

    #[test]
    fn a_name_that_no_module_can_have_is_refused() {
        let folder = copy();
        for name in
            ["", "Notes", "add-notes", "add notes", "_notes", "notes_", "add__notes", "../notes", &"x".repeat(61)]
        {
            let error = generate(folder.path(), name, 20261130).expect_err(name);
            assert!(error.to_string().contains("add_user_locale"), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
