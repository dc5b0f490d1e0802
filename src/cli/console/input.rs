//! What was typed: a command that begins with a dot, or GraphQL.

use std::borrow::Cow;

use crate::cli::console::names::{Names, is_secret};
use crate::cli::console::tokens::{Ending, Kind, open_brackets, tokens};
use crate::cli::console::walk::opens;

/// A command, for `.help` and completion.
pub(super) struct Command {
    pub(super) name: &'static str,
    pub(super) takes: &'static str,
    pub(super) does: &'static str,
}

/// Every command, in the order of `.help`.
pub(super) const COMMANDS: [Command; 5] = [
    Command { name: ".as", takes: "[USER]", does: "act as this user, by username, e-mail address or id; or as nobody" },
    Command { name: ".exit", takes: "", does: "end, as Ctrl-D does" },
    Command { name: ".help", takes: "", does: "show this" },
    Command { name: ".schema", takes: "[TYPE]", does: "list the schema's types, or show one" },
    Command { name: ".vars", takes: "{JSON}", does: "set the variables of the next operation" },
];

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input<'t> {
    Nothing,
    ActAs(Option<&'t str>),
    Exit,
    Help,
    Schema(Option<&'t str>),
    Variables(&'t str),
    Unknown(&'t str),
    /// A whole document.
    Operation(Cow<'t, str>),
}

/// Reads a text.
pub(super) fn read(text: &str) -> Input<'_> {
    let text = text.trim();
    if is_command(text) {
        let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = Some(rest.trim()).filter(|rest| !rest.is_empty());
        return match (command, rest) {
            (".as", who) => Input::ActAs(who),
            (".exit", None) => Input::Exit,
            (".help", None) => Input::Help,
            (".schema", name) => Input::Schema(name),
            (".vars", json) => Input::Variables(json.unwrap_or("{}")),
            _ => Input::Unknown(command),
        };
    }
    match tokens(text).0.first() {
        None => Input::Nothing,
        Some(first) if first.text == "..." || (first.kind == Kind::Name && !opens(first.text)) => {
            // On a line of its own, in case the text ends in a comment.
            Input::Operation(Cow::Owned(format!("{{{text}\n}}")))
        }
        Some(_) => Input::Operation(Cow::Borrowed(text)),
    }
}

/// Whether it is a command rather than GraphQL, which can begin with three dots.
pub(super) fn is_command(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('.') && !text.starts_with("..")
}

/// Whether more is to come: a bracket or block string is open. What is wrong already is as whole as it gets.
pub(super) fn is_unfinished(text: &str) -> bool {
    let (tokens, ending) = tokens(text);
    let open = ending == Ending::BlockString || open_brackets(&tokens) > 0;
    open && ending != Ending::BrokenString
}

/// Whether it may hold a password or the like, which belongs in no file: a secret is a string, and so is what was
/// meant as one but went into a wrong field.
pub(super) fn may_hold_secret(names: &Names, text: &str) -> bool {
    if is_command(text) {
        return !matches!(read(text), Input::ActAs(_) | Input::Schema(_) | Input::Help | Input::Exit);
    }
    let tokens = tokens(text).0;
    let has_text = tokens.iter().any(|token| token.kind == Kind::Text);
    has_text && tokens.iter().any(|token| is_secret(token.text) || names.takes_secret(token.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_documents_are_told_apart() {
        assert_eq!(read(" .as  anna "), Input::ActAs(Some("anna")));
        assert_eq!(read(".as"), Input::ActAs(None));
        assert_eq!(read(".vars {\n \"a\": 1 }"), Input::Variables("{\n \"a\": 1 }"));
        assert_eq!(read(".exit now"), Input::Unknown(".exit"));
        assert_eq!(read(".quit"), Input::Unknown(".quit"));
        assert_eq!(read(" # nothing"), Input::Nothing);
        assert_eq!(read("{ hello }"), Input::Operation("{ hello }".into()));
        assert_eq!(read("mutation { next { value } }"), Input::Operation("mutation { next { value } }".into()));
        assert_eq!(read("hello # it"), Input::Operation("{hello # it\n}".into()));
        assert_eq!(read("...{ hello }"), Input::Operation("{...{ hello }\n}".into()));
    }

    #[test]
    fn a_text_is_unfinished_while_a_bracket_is_open() {
        for text in ["{", "viewer {\n user {", "f(a: \"\"\"x", ".vars {\"a\": [1,", "{ a # }", ".as {"] {
            assert!(is_unfinished(text), "{text}");
        }
        for text in ["", "{ a }", "a(b: \"{\")", "{ a(b: \"unclosed", "} {", ".vars {}"] {
            assert!(!is_unfinished(text), "{text}");
        }
    }

    #[test]
    fn what_may_hold_a_secret_is_known() {
        let names = Names::read(&crate::schema::types_sdl()).expect("the schema");
        let secret = |text| may_hold_secret(&names, text);
        for text in [
            r#"mutation { login(input: { identifier: "anna", password: "s" }) { userErrors { code } } }"#,
            r#"mutation { login(input: { identifier: "anna", pasword: "s" }) { userErrors { code } } }"#,
            r#"mutation { logout(input: { refreshToken: """s""" }) { endedSessions } }"#,
            r#"query($newPassword: String = "s") { hello }"#,
            r#"mutation { unknown(currentPassword: "s"#,
            r#".vars {"a": "s"}"#,
            ".quit s",
        ] {
            assert!(secret(text), "{text}");
        }
        for text in [
            "{ hello }",
            ".as anna@example.org",
            r#"{ user(username: "anna") { id } }"#,
            "mutation { refreshTokens(input: $input) { tokens { accessToken } } }",
        ] {
            assert!(!secret(text), "{text}");
        }
    }
}
