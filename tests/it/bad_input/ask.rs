//! Requests with a value in one of the places.

use serde_json::Value;

use super::place::{CODES, Place, SUBSCRIPTION};
use crate::support::{Caller, Form, Reply, picture};

impl Place {
    /// The operation with the value in the document.
    pub fn with_literal(&self, literal: &str) -> String {
        self.operation("").replacen("$value", literal, 1)
    }

    /// The operation with the value in the variable `value`.
    pub fn with_variable(&self) -> String {
        self.operation(&format!("($value: {})", self.kind))
    }

    /// Its name as the schema has it.
    pub fn in_the_schema(&self) -> String {
        let named: Vec<&str> = self.name.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
        format!("{}.{}", self.root, named.join("."))
    }

    /// Sends this body, and hears the answer; of a subscription the first.
    pub async fn ask(&self, user: &Caller, body: String) -> Reply {
        if self.takes_a_file() {
            return user.upload(form(&body)).await;
        }
        if self.text.starts_with(SUBSCRIPTION) {
            return user.listen_to(body).await;
        }
        let request = axum::http::Request::post("/graphql").header("content-type", "application/json");
        user.send(request.body(body.into()).expect("a request")).await
    }

    fn is_query(&self) -> bool {
        self.text.starts_with('{')
    }

    fn takes_a_file(&self) -> bool {
        self.text.contains("$file")
    }

    fn operation(&self, declaration: &str) -> String {
        let Self { root, text, .. } = self;
        let declaration = match (self.takes_a_file(), declaration) {
            (true, "") => "($file: Upload!)".to_owned(),
            (true, declaration) => declaration.replacen('(', "($file: Upload!, ", 1),
            (false, declaration) => declaration.to_owned(),
        };
        let selection = match *root {
            "logout" => "endedSessions",
            "requestPasswordReset" => "accepted",
            "next" => "value",
            _ => "userErrors { code field message }",
        };
        match text.strip_prefix(SUBSCRIPTION) {
            Some(text) => format!("subscription {declaration} {text}"),
            None if self.is_query() => format!("query {declaration} {text}"),
            None => format!("mutation {declaration} {{ {root}(input: {{ {text} }}) {{ {selection} }} }}"),
        }
    }

    /// Whether this value is a mistake here.
    pub fn minds(&self, kind: &str, value: &Value) -> bool {
        match value.as_str() {
            // An id is as good a name as any.
            Some(text) if text.contains("_0000") => self.kind == "ID!",
            // What is good text elsewhere may be a good password too, but none of these is at login.
            Some(text) if (self.root, self.name) == ("signUp", "password") || self.name == "newPassword" => {
                let chars = text.chars().count();
                !(8..=1024).contains(&chars) || text.chars().any(char::is_control)
            }
            // Nobody listens in vain to what cannot be: only what is no tag is refused.
            Some(_) if (self.root, self.name) == ("photoPublished", "author") => false,
            Some(text) if (self.root, self.name) == ("photoPublished", "tags") => {
                text.contains('\0') || text.chars().count() > 2000
            }
            Some(text) if self.name.ends_with(".caption") => {
                let text = text.trim().replace("\r\n", "\n");
                text.chars().count() > 2000 || text.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
            }
            // The start and the end of a list.
            Some("") if ["after", "before"].contains(&self.name) => false,
            // A blank is a key.
            Some(text) if self.name == "idempotencyKey" => text != " ",
            Some(_) => true,
            None => kind == "number" || !self.takes.contains(&kind),
        }
    }

    /// Asserts that the reply refuses the value, and says what was wrong.
    pub fn assert_refuses(&self, reply: &Reply, kind: &str, shown: &str) {
        let context = format!("{}.{} {kind} {shown}: {} {}", self.root, self.name, reply.status, reply.body);
        assert!([200, 400].contains(&reply.status.as_u16()), "{context}");
        assert!(reply.body.to_string().len() < 10_000, "Q3, a short refusal: {context}");
        if let Some(errors) = reply.body.get("errors").and_then(Value::as_array) {
            // A value with several faults has an error for each.
            let is_known =
                |error: &Value| error["extensions"]["code"].as_str().is_some_and(|code| CODES.contains(&code));
            assert!(errors.iter().all(is_known), "{context}");
            return;
        }
        assert!(self.takes.contains(&kind), "a wrong type is an error: {context}");
        if self.is_query() {
            let found = reply.at("/data/user").is_object() || reply.at("/data/viewer/counter").is_object();
            assert!(self.keeps_quiet && !found, "{context}");
            return;
        }
        let errors = reply.user_errors(self.root);
        let named = errors.iter().any(|error| error.ends_with(&format!(" input.{}", self.name)));
        let quiet = |error: &String| {
            error.starts_with("WRONG_CREDENTIALS")
                || error == "INVALID input.token"
                || error == "INVALID input.link.token"
        };
        let kept_quiet = self.keeps_quiet && errors.len() == 1 && errors.iter().all(quiet);
        assert!(named || kept_quiet, "{context}");
        let message = reply.at(&format!("/data/{}/userErrors/0/message", self.root)).as_str().unwrap_or_default();
        let limit_is_named = message.contains(|c: char| c.is_ascii_digit());
        assert!(limit_is_named || !errors.iter().any(|error| error.starts_with("TOO_")), "{context}");
    }
}

/// A body as a form, with a file for the variable `file`. As text: some bodies are not JSON.
fn form(body: &str) -> Form {
    let operations = match body.split_once("\"variables\":") {
        Some((before, after)) => format!("{before}\"variables\":{}", after.replacen('{', "{\"file\":null,", 1)),
        None => {
            let open = body.trim_end().strip_suffix('}').unwrap_or(body);
            format!("{open}, \"variables\": {{ \"file\": null }} }}")
        }
    };
    Form::default()
        .part("operations", operations)
        .part("map", "{ \"0\": [\"variables.file\"] }")
        .file("0", &picture([0, 0, 0]))
}
