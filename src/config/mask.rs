//! The settings as text for a person, without their secrets.

use serde_json::Value;

use crate::config::Config;

impl Config {
    /// The settings as TOML, with the passwords in URLs and the storage's secret masked.
    ///
    /// # Errors
    /// None that a loaded configuration can cause.
    pub fn masked(&self) -> anyhow::Result<String> {
        let mut shown = self.clone();
        shown.mail.smtp_url = mask_password(&self.mail.smtp_url);
        shown.storage.url = mask_password(&self.storage.url);
        shown.storage.s3_endpoint = mask_password(&self.storage.s3_endpoint);
        if !shown.storage.s3_secret_access_key.is_empty() {
            shown.storage.s3_secret_access_key = "****".to_owned();
        }
        let table = serde_json::to_value(shown)?;
        let mut text = String::new();
        for (section, settings) in table.as_object().into_iter().flatten() {
            text.push_str(&format!("[{section}]\n"));
            for (key, value) in settings.as_object().into_iter().flatten() {
                text.push_str(&format!("{key} = {}\n", toml(value)));
            }
            text.push('\n');
        }
        Ok(text)
    }
}

/// A JSON scalar, string or list of strings is written the same way in TOML; a table is not.
fn toml(value: &Value) -> String {
    let Value::Object(table) = value else { return value.to_string() };
    let pairs: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// `postgres://user:password@host` becomes `postgres://user:****@host`, also when it is no proper URL; so does
/// `?password=…`.
#[must_use]
pub fn mask_password(url: &str) -> String {
    const PARAMETER: &str = "password=";
    let mut masked = mask_authority(url);
    let parameters = masked.find('?').unwrap_or(masked.len());
    if let Some(found) = masked.get(parameters..).and_then(|query| query.find(PARAMETER)) {
        let start = parameters + found + PARAMETER.len();
        let end = masked.get(start..).and_then(|value| value.find('&')).map_or(masked.len(), |length| start + length);
        masked.replace_range(start..end, "****");
    }
    masked
}

fn mask_authority(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    // A password may contain '/' or '?' unescaped in a broken URL: then the last '@' is what counts.
    let Some(at) = rest.rfind('@') else { return url.to_owned() };
    let user_end = rest.find(':').filter(|colon| *colon < at);
    match user_end {
        Some(colon) if at < authority_end || colon < authority_end => {
            format!("{scheme}://{}:****{}", rest.get(..colon).unwrap_or(""), rest.get(at..).unwrap_or(""))
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn the_secret_of_the_storage_is_masked() {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        assert!(config.masked().expect("TOML").contains("s3_secret_access_key = \"\"\n"), "there is none yet");
        config.storage.s3_secret_access_key = "wJalrXUtnFEMI".to_owned();
        let shown = config.masked().expect("TOML");
        assert!(shown.contains("s3_secret_access_key = \"****\"\n") && !shown.contains("wJalrXUtnFEMI"), "{shown}");
    }

    #[test]
    fn passwords_in_database_urls_are_masked() {
        assert_eq!(mask_password("postgres://me:secret@db:5432/x"), "postgres://me:****@db:5432/x");
        assert_eq!(mask_password("postgres://me:se/cr@et@db/x"), "postgres://me:****@db/x");
        assert_eq!(mask_password("postgres://me@db/x"), "postgres://me@db/x");
        assert_eq!(mask_password("postgres://db/x?password=secret&a=b"), "postgres://db/x?password=****&a=b");
        assert_eq!(mask_password("postgres://me:one@db/x?password=two"), "postgres://me:****@db/x?password=****");
        assert_eq!(mask_password("sqlite://data/cloakroom.db"), "sqlite://data/cloakroom.db");
    }
}
