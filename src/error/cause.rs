//! The cause of a failure, for the log: an error and everything behind it, each text once.
//!
//! Libraries disagree about `Display`. Some repeat the text of their source, as SeaORM and sqlx do;
//! others leave it out, as reqwest does with "Connection refused". Neither `{}` nor `{:#}` is right
//! for both.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The most errors of one chain.
const MAX_ERRORS: usize = 16;
/// The most characters of one error in the log: a storage may answer with a page of HTML.
const MAX_CHARS: usize = 500;

/// The error behind a failure, which prints as [`one_line`] does. Cheap to clone.
#[derive(Clone)]
pub struct Cause(Arc<anyhow::Error>);

impl Cause {
    /// The cause with this error.
    pub fn new(error: impl Into<anyhow::Error>) -> Self {
        Self(Arc::new(error.into()))
    }

    /// The error as an `E`, if it is one.
    #[must_use]
    pub fn downcast_ref<E: fmt::Display + fmt::Debug + Send + Sync + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(self.0.as_ref().as_ref()))
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

/// The texts of an error and its sources, outermost first, without those that an earlier text
/// contains.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    texts(error).join(": ")
}

/// As [`chain`], for the log: in one line of bounded length.
#[must_use]
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    let bounded: Vec<String> = texts(error).iter().map(|text| bounded(text)).collect();
    bounded.join(": ")
}

fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for error in anyhow::Chain::new(error).take(MAX_ERRORS) {
        let text = error.to_string();
        if !texts.iter().any(|said| said.contains(text.trim())) {
            texts.push(text);
        }
    }
    texts
}

fn bounded(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).collect();
    let mut line = words.join(" ");
    if let Some((end, _)) = line.char_indices().nth(MAX_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// An error with this text and source.
    #[derive(Debug)]
    struct Layer(String, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    fn layers(texts: &[&str]) -> Layer {
        let source = texts.iter().rev().fold(None, |source, text| Some(Box::new(Layer((*text).to_owned(), source))));
        *source.expect("there is one")
    }

    #[test]
    fn each_text_of_a_chain_is_said_once() {
        for (texts, expected) in [
            (&["Query Error: from database: X", "from database: X", "X"][..], "Query Error: from database: X"),
            (&["Query Error: from database: X", "from database: X", "Y"], "Query Error: from database: X: Y"),
            (&["S3 error: sending", "sending", "connect", "refused"], "S3 error: sending: connect: refused"),
            (&["a", "", "b\n", "b"], "a: b"),
        ] {
            assert_eq!(one_line(&layers(texts)), expected);
        }
    }

    #[test]
    fn a_database_error_is_said_once() {
        let source = sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused"));
        let error = sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(source.into()));
        let cause = Cause::new(error);
        assert_eq!(cause.to_string(), "Connection Error: error communicating with database: Connection refused");
        assert_eq!(format!("{cause:#}"), cause.to_string());
        assert!(cause.downcast_ref::<sea_orm::DbErr>().is_some());
    }

    #[test]
    fn a_line_of_the_log_is_one_and_bounded() {
        let page = format!("<html>\r\n\u{1b}[31m{}</html>", "a".repeat(5_000));
        let chain: Vec<&str> = std::iter::once(page.as_str()).chain((0..40).map(|_| "again")).collect();
        let line = one_line(&layers(&chain));
        assert!(line.chars().count() < 600 && !line.contains(char::is_control), "{line}");
        assert!(line.starts_with("<html> [31maaa") && line.ends_with("…: again"), "{line}");
    }

    #[test]
    fn a_chain_for_a_terminal_keeps_its_lines() {
        let error = anyhow::anyhow!("email: missing\nname: too long").context("nobody was added");
        assert_eq!(chain(error.as_ref()), "nobody was added: email: missing\nname: too long");
    }
}
