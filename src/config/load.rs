//! Reading the settings: the defaults, a file, the environment and the command line, one over the other.
//!
//! **Invariant:** no error repeats a line of a file or a variable that may have a secret.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use config::{Environment, File, FileFormat, Map, Value, ValueKind};

use crate::config::{Config, DEFAULTS};

const PREFIX: &str = "CLOAKROOM";

/// Settings of the command line, which override all others.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Settings by their dotted name, such as `server.listen`.
    pub settings: Vec<(&'static str, String)>,
}

impl Config {
    /// The defaults, with `overrides` over the environment over `file` over them.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key (the nearest known one is named), a value out of its range.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> anyhow::Result<Self> {
        let defaults = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let known = setting_names(&defaults.clone().build()?.cache.into_table()?, "");

        let mut layered = defaults;
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the configuration in {}", path.display()))?;
            let source = File::from_str(&text, FileFormat::Toml);
            refuse_unknown(&known, &source, &format!("in {}", path.display()))?;
            layered = layered.add_source(source);
        }
        refuse_other_encodings()?;
        let environment = Environment::with_prefix(PREFIX).prefix_separator("__").separator("__");
        refuse_unknown(&known, &environment, "in the environment (CLOAKROOM__SECTION__KEY)")?;
        layered = layered.add_source(environment);
        for (name, value) in &overrides.settings {
            layered = layered.set_override(*name, value.as_str())?;
        }
        let config: Self = layered.build()?.try_deserialize().context("the configuration")?;
        config.check()?;
        Ok(config)
    }
}

impl Config {
    /// The settings as TOML, for people to read: secrets are masked.
    ///
    /// # Errors
    /// None that a loaded configuration can cause.
    pub fn masked(&self) -> anyhow::Result<String> {
        let table = serde_json::to_value(self)?;
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
fn toml(value: &serde_json::Value) -> String {
    let serde_json::Value::Object(table) = value else { return value.to_string() };
    let pairs: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn setting_names(table: &Map<String, Value>, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in table {
        match &value.kind {
            ValueKind::Table(inner) => names.extend(setting_names(inner, &format!("{prefix}{key}."))),
            _ => names.push(format!("{prefix}{key}")),
        }
    }
    names
}

fn refuse_unknown(
    known: &[String],
    source: &(impl config::Source + Clone + Send + Sync + 'static),
    place: &str,
) -> anyhow::Result<()> {
    let found =
        source.collect().map_err(|error| anyhow!("cannot read the configuration {place}: {}", syntax(&error)))?;
    for name in setting_names(&found, "") {
        if !known.contains(&name) {
            let nearest =
                known.iter().max_by(|a, b| strsim::jaro_winkler(a, &name).total_cmp(&strsim::jaro_winkler(b, &name)));
            let hint = nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            bail!("unknown setting {name} {place}{hint}");
        }
    }
    Ok(())
}

/// The place of a syntax error. The parser's message repeats the line, which may have a secret.
fn syntax(error: &config::ConfigError) -> String {
    let text = match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string(),
        _ => String::new(),
    };
    let place = text.lines().next().filter(|line| line.starts_with("TOML parse error at line"));
    place.unwrap_or("it is not valid TOML").to_owned()
}

/// Refuses a variable that is not UTF-8, without its value.
fn refuse_other_encodings() -> anyhow::Result<()> {
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.to_ascii_uppercase().starts_with(&format!("{PREFIX}__")) && value.to_str().is_none() {
            bail!("{name} in the environment is not valid UTF-8");
        }
    }
    Ok(())
}
