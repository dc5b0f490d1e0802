//! What was said in confidence: the passwords, tokens and addresses that a test sends to a server or hears of it. At
//! each server's end its log is searched for them, in every test that starts one (J10).

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::Value;

/// Shorter ones could be anywhere by chance.
const SHORTEST: usize = 8;
/// What stands before a mail that is written to the log where no mail server is set.
const MAIL: &str = "no mail server is set";

/// What must be in no log; true for what mails have: addresses, and the tokens of links.
#[derive(Default)]
pub struct Told(Mutex<BTreeMap<String, bool>>);

impl Told {
    /// Notes a value under its name, if that makes it a secret.
    pub fn note(&self, name: &str, value: &str) {
        let name = name.to_lowercase();
        let by_name = ["password", "token", "email", "secret"].iter().any(|end| name.ends_with(end));
        let is_secret = by_name || (name == "identifier" && value.contains('@'));
        if is_secret && value.len() >= SHORTEST {
            let mailed = name == "token" || value.contains('@');
            self.0.lock().expect("nobody panicked").insert(value.to_lowercase(), mailed);
        }
    }

    /// Notes the secret arguments of an operation.
    pub fn note_query(&self, query: &str) {
        for (at, found) in query.match_indices(": \"") {
            let name = query[..at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            let value = query[at + found.len()..].split('"').next().unwrap_or_default();
            self.note(name, value);
        }
    }

    /// Notes what an answer hands out.
    pub fn note_answer(&self, answer: &Value) {
        match answer {
            Value::Object(fields) => {
                for (name, value) in fields {
                    value.as_str().into_iter().for_each(|text| self.note(name, text));
                    self.note_answer(value);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.note_answer(value)),
            _ => {}
        }
    }

    pub fn assert_none_in(&self, log: &str) {
        let log = log.to_lowercase();
        let has_mails = log.contains(MAIL);
        let told = self.0.lock().expect("nobody panicked").clone();
        for (secret, mailed) in told {
            assert!((mailed && has_mails) || !log.contains(&secret), "{secret} is in the log:\n{log}");
        }
    }
}

#[test]
fn what_is_told_is_found_again() {
    let told = Told::default();
    told.note_query(r#"mutation { login(input: { identifier: "Anna@x.org", newPassword: "a long secret" }) { id } }"#);
    let answer = serde_json::json!({ "data": { "login": [{ "accessToken": "eyJhbGciOi", "name": "not so secret" }] } });
    told.note_answer(&answer);
    let noted: Vec<String> = told.0.lock().expect("nobody panicked").keys().cloned().collect();
    assert_eq!(noted, ["a long secret", "anna@x.org", "eyjhbgcioi"]);
    told.assert_none_in("not so secret");
    let found = |log: &str| std::panic::catch_unwind(|| told.assert_none_in(log)).is_err();
    assert!(found("key=EYJHBGCIOI") && found("for anna@X.org"));
    assert!(!found("no mail server is set: for anna@x.org") && found("no mail server is set: eyJhbGciOi"));
}
