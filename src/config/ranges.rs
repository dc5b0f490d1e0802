//! The range of every numeric setting. The manual, `config.default.toml`, states each.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::config::Config;

/// 100 years, in days and in seconds: times of the distant future stay times.
const CENTURY_DAYS: u64 = 36_500;
const CENTURY_SECONDS: u64 = CENTURY_DAYS * 86_400;

/// Each setting that is a number, with the smallest and the largest value that it may have.
pub const RANGES: &[(&str, u64, u64)] = &[
    ("server.max_connections", 1, 1_000_000),
    ("server.max_percent_per_peer", 1, 100),
    ("server.max_percent_per_proxy", 1, 100),
    ("server.shutdown_seconds", 0, 86_400),
    ("database.max_connections", 1, 1000),
    ("database.connection_lifetime_seconds", 10, 86_400),
    ("database.acquire_seconds", 1, 300),
    ("database.answer_seconds", 1, 300),
    ("http.header_seconds", 1, 3600),
    ("http.body_seconds", 1, 3600),
    ("http.answer_seconds", 1, 3600),
    ("http.min_bytes_per_second", 0, 1_048_576),
    ("http.grace_seconds", 1, 300),
    ("http.request_seconds", 1, 3600),
    ("http.max_body_bytes", 1024, 67_108_864),
    ("http.max_buffered_bytes", 1_048_576, 1_099_511_627_776),
    ("http.max_header_bytes", 8192, 1_048_576),
    ("graphql.max_depth", 1, 100),
    ("graphql.max_complexity", 1, 100_000),
    ("graphql.max_aliases", 0, 20_000),
    ("graphql.max_directives", 0, 20_000),
    ("graphql.max_tokens", 1, 20_000),
    ("graphql.document_cache_bytes", 0, 1_073_741_824),
    ("accounts.password_memory_kib", 19_456, 1_048_576),
    ("accounts.password_passes", 2, 64),
    ("accounts.password_lanes", 1, 16),
    ("accounts.password_threads", 0, 256),
    ("accounts.password_queue", 1, 100_000),
    ("accounts.access_token_seconds", 10, 3600),
    ("accounts.refresh_token_seconds", 10, CENTURY_SECONDS),
    ("accounts.refresh_reuse_seconds", 0, 3600),
    ("accounts.session_seconds", 10, CENTURY_SECONDS),
    ("accounts.token_leeway_seconds", 0, 120),
    ("accounts.cached_tokens", 0, 10_000_000),
    ("accounts.session_recheck_seconds", 0, 3600),
    ("accounts.password_strength", 0, 4),
    ("accounts.verification_seconds", 60, 2_592_000),
    ("accounts.reset_seconds", 60, 86_400),
    ("accounts.max_sessions", 1, 1000),
    ("accounts.max_api_keys", 1, 1000),
    ("accounts.max_idempotency_records", 1, 1_000_000_000),
    ("accounts.unconfirmed_days", 1, CENTURY_DAYS),
    ("accounts.deletion_grace_days", 0, CENTURY_DAYS),
    ("accounts.ended_session_days", 0, CENTURY_DAYS),
    ("accounts.event_days", 1, CENTURY_DAYS),
    ("mail.smtp_connections", 1, 100),
    ("mail.smtp_seconds", 1, 3600),
    ("mail.attempts", 1, 100),
    ("limits.max_buckets", 1024, 16_777_216),
    ("limits.login_per_address.burst", 0, 1_000_000),
    ("limits.login_per_address.per_hour", 0, 1_000_000_000),
    ("limits.login_per_account.burst", 0, 1_000_000),
    ("limits.login_per_account.per_hour", 0, 1_000_000_000),
    ("limits.login_from_known_address.burst", 0, 1_000_000),
    ("limits.login_from_known_address.per_hour", 0, 1_000_000_000),
    ("limits.login_from_new_address.burst", 0, 1_000_000),
    ("limits.login_from_new_address.per_hour", 0, 1_000_000_000),
    ("limits.login_from_new_addresses.burst", 0, 1_000_000),
    ("limits.login_from_new_addresses.per_hour", 0, 1_000_000_000),
    ("limits.sign_up_per_address.burst", 0, 1_000_000),
    ("limits.sign_up_per_address.per_hour", 0, 1_000_000_000),
    ("limits.mail_per_address.burst", 0, 1_000_000),
    ("limits.mail_per_address.per_hour", 0, 1_000_000_000),
    ("limits.mail_per_account.burst", 0, 1_000_000),
    ("limits.mail_per_account.per_hour", 0, 1_000_000_000),
    ("limits.mail_per_mailbox.burst", 0, 1_000_000),
    ("limits.mail_per_mailbox.per_hour", 0, 1_000_000_000),
    ("limits.refresh_per_address.burst", 0, 1_000_000),
    ("limits.refresh_per_address.per_hour", 0, 1_000_000_000),
    ("limits.refresh_per_session.burst", 0, 1_000_000),
    ("limits.refresh_per_session.per_hour", 0, 1_000_000_000),
    ("counters.queue", 1, 10_000_000),
    ("counters.max_batch", 1, 10_000),
    ("counters.max_per_user", 1, 1_000_000_000),
    ("counters.max_idempotency_records", 1, 1_000_000_000),
    ("counters.poll_milliseconds", 1, 3_600_000),
    ("photos.max_bytes", 1024, 104_857_600),
    ("photos.max_pixels", 1, 100_000_000),
    ("photos.max_per_upload", 1, 100),
    ("photos.upload_seconds", 1, 86_400),
    ("photos.max_uploads", 1, 10_000),
    ("photos.max_uploads_per_user", 1, 10_000),
    ("photos.threads", 0, 256),
    ("photos.queue", 1, 100_000),
    ("photos.quota_bytes", 0, 9_007_199_254_740_992),
    ("photos.max_per_user", 1, 1_000_000_000),
    ("photos.url_seconds", 60, 86_400),
    ("storage.cache_bytes", 0, 1_099_511_627_776),
    ("subscriptions.init_seconds", 1, 3600),
    ("subscriptions.ping_seconds", 1, 86_400),
    ("subscriptions.warn_seconds", 0, 86_400),
    ("subscriptions.max_operations", 1, 100_000),
    ("subscriptions.max_per_caller", 1, 1_000_000),
];

/// Refuses a configuration with a number out of its range.
///
/// # Errors
/// The setting, and its range.
pub(super) fn check(config: &Config) -> anyhow::Result<()> {
    let settings = serde_json::to_value(config)?;
    for &(name, least, most) in RANGES {
        let value = name.split('.').try_fold(&settings, |value, key| value.get(key));
        let value = value.and_then(Value::as_u64).with_context(|| format!("{name} is not a number"))?;
        ensure!((least..=most).contains(&value), "{name} must be from {least} to {most}, not {value}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULTS, Overrides};

    /// The paths of the numbers in `value`.
    fn numbers(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Number(_) => found.push(path.to_owned()),
            Value::Object(table) => {
                for (key, value) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    numbers(value, &path, found);
                }
            }
            _ => {}
        }
    }

    /// The comments of the manual above the setting `name`, back to the previous empty line or setting.
    fn comments_above(name: &str) -> String {
        let (section, key) = name.split_once('.').expect("a section and a key");
        let key = key.split('.').next().unwrap_or_default();
        let mut comments = String::new();
        let (mut current, mut of_section) = ("", String::new());
        for line in DEFAULTS.lines() {
            if let Some(comment) = line.strip_prefix('#') {
                comments.push_str(comment);
            } else if let Some(name) = line.strip_prefix('[') {
                current = name.trim_end_matches(']');
                of_section = std::mem::take(&mut comments);
            } else if current == section && line.starts_with(&format!("{key} = ")) {
                return comments + &of_section;
            } else {
                comments.clear();
            }
        }
        panic!("{name} is not in the manual");
    }

    #[test]
    fn every_number_has_a_range_which_the_manual_states() {
        let config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let mut found = Vec::new();
        numbers(&serde_json::to_value(config).expect("JSON"), "", &mut found);
        for name in &found {
            let range = RANGES.iter().find(|(known, ..)| *known == name.as_str());
            let (_, least, most) = range.unwrap_or_else(|| panic!("{name} has no range"));
            let comments = comments_above(name);
            assert!(comments.contains(&format!("{least} to {most}")), "{name}: {least} to {most} is not in {comments}");
        }
        assert_eq!(found.len(), RANGES.len(), "a range is of no setting");
    }
}
