//! Which values a setting may have.

use anyhow::ensure;

use crate::config::{Bucket, Config};

impl Config {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let accounts = &self.accounts;
        ensure!(accounts.password_memory_kib >= 19_456, "accounts.password_memory_kib must be at least 19456");
        ensure!(accounts.password_memory_kib <= 1 << 20, "accounts.password_memory_kib must be at most 1048576");
        ensure!((2..=64).contains(&accounts.password_passes), "accounts.password_passes must be from 2 to 64");
        ensure!((1..=16).contains(&accounts.password_lanes), "accounts.password_lanes must be from 1 to 16");
        ensure!(accounts.password_threads <= 256, "accounts.password_threads must be at most 256");
        ensure!(
            (10..=3600).contains(&accounts.access_token_seconds),
            "accounts.access_token_seconds must be from 10 to 3600"
        );
        ensure!(
            accounts.refresh_token_seconds >= accounts.access_token_seconds,
            "accounts.refresh_token_seconds must not be less than accounts.access_token_seconds"
        );
        ensure!(
            accounts.session_seconds >= accounts.refresh_token_seconds,
            "accounts.session_seconds must not be less than accounts.refresh_token_seconds"
        );
        for (name, max) in
            [("accounts.max_sessions", accounts.max_sessions), ("accounts.max_api_keys", accounts.max_api_keys)]
        {
            ensure!((1..=1000).contains(&max), "{name} must be from 1 to 1000");
        }
        ensure!(accounts.password_strength <= 4, "accounts.password_strength must be from 0 to 4");
        ensure!(
            (60..=30 * 86_400).contains(&accounts.verification_seconds),
            "accounts.verification_seconds must be from 60 to 2592000"
        );
        ensure!((60..=86_400).contains(&accounts.reset_seconds), "accounts.reset_seconds must be from 60 to 86400");
        ensure!(accounts.token_leeway_seconds <= 120, "accounts.token_leeway_seconds must be at most 120");
        ensure!(!accounts.token_issuer.is_empty(), "accounts.token_issuer must not be empty");
        ensure!(!accounts.token_audience.is_empty(), "accounts.token_audience must not be empty");
        ensure!(self.graphql.max_tokens <= 20_000, "graphql.max_tokens must be at most 20000");
        ensure!(
            self.graphql.document_cache_bytes <= 1 << 30,
            "graphql.document_cache_bytes must be from 0 to 1073741824"
        );
        ensure!(self.counters.max_batch <= 10_000, "counters.max_batch must be at most 10000");
        for (name, records) in [
            ("counters.max_idempotency_records", self.counters.max_idempotency_records),
            ("accounts.max_idempotency_records", accounts.max_idempotency_records),
        ] {
            ensure!((1..=1_000_000_000).contains(&records), "{name} must be from 1 to 1000000000");
        }
        ensure!(self.http.max_header_bytes >= 8192, "http.max_header_bytes must be at least 8192");
        self.check_database()?;
        self.check_photos()?;
        self.storage.check()?;
        self.check_positive()?;
        self.check_limits()
    }

    fn check_database(&self) -> anyhow::Result<()> {
        let database = &self.database;
        ensure!((1..=1000).contains(&database.max_connections), "database.max_connections must be from 1 to 1000");
        for (name, seconds, range) in [
            ("connection_lifetime_seconds", database.connection_lifetime_seconds, 10..=86_400),
            ("acquire_seconds", database.acquire_seconds, 1..=300),
            ("answer_seconds", database.answer_seconds, 1..=300),
        ] {
            let (start, end) = (range.start(), range.end());
            ensure!(range.contains(&seconds), "database.{name} must be from {start} to {end}");
        }
        Ok(())
    }

    fn check_photos(&self) -> anyhow::Result<()> {
        let photos = &self.photos;
        ensure!((1024..=100 << 20).contains(&photos.max_bytes), "photos.max_bytes must be from 1024 to 104857600");
        ensure!((1..=100_000_000).contains(&photos.max_pixels), "photos.max_pixels must be from 1 to 100000000");
        ensure!(photos.max_per_upload <= 100, "photos.max_per_upload must be at most 100");
        ensure!(photos.threads <= 256, "photos.threads must be at most 256");
        ensure!(photos.quota_bytes <= 1 << 53, "photos.quota_bytes must be at most 9007199254740992");
        ensure!((60..=86_400).contains(&photos.url_seconds), "photos.url_seconds must be from 60 to 86400");
        Ok(())
    }

    fn check_positive(&self) -> anyhow::Result<()> {
        let accounts = &self.accounts;
        for (name, value) in [
            ("server.max_connections", self.server.max_connections),
            ("http.max_body_bytes", self.http.max_body_bytes),
            ("graphql.max_depth", self.graphql.max_depth as usize),
            ("graphql.max_complexity", self.graphql.max_complexity as usize),
            ("graphql.max_tokens", self.graphql.max_tokens as usize),
            ("accounts.password_queue", accounts.password_queue),
            ("accounts.unconfirmed_days", accounts.unconfirmed_days as usize),
            ("accounts.event_days", accounts.event_days as usize),
            ("mail.smtp_connections", self.mail.smtp_connections as usize),
            ("mail.attempts", self.mail.attempts as usize),
            ("counters.queue", self.counters.queue),
            ("counters.poll_milliseconds", usize::try_from(self.counters.poll_milliseconds).unwrap_or(usize::MAX)),
            ("photos.max_per_upload", self.photos.max_per_upload),
            ("photos.max_uploads", self.photos.max_uploads),
            ("photos.max_uploads_per_user", self.photos.max_uploads_per_user),
            ("photos.queue", self.photos.queue),
            ("subscriptions.max_operations", self.subscriptions.max_operations),
            ("subscriptions.max_per_caller", self.subscriptions.max_per_caller),
            ("counters.max_batch", self.counters.max_batch),
            ("counters.max_per_user", usize::try_from(self.counters.max_per_user).unwrap_or(usize::MAX)),
        ] {
            ensure!(value > 0, "{name} must be at least 1");
        }
        for (name, seconds) in [
            ("http.header_seconds", self.http.header_seconds),
            ("http.body_seconds", self.http.body_seconds),
            ("http.answer_seconds", self.http.answer_seconds),
            ("http.request_seconds", self.http.request_seconds),
            ("mail.smtp_seconds", self.mail.smtp_seconds),
            ("photos.upload_seconds", self.photos.upload_seconds),
            ("subscriptions.init_seconds", self.subscriptions.init_seconds),
            ("subscriptions.ping_seconds", self.subscriptions.ping_seconds),
        ] {
            ensure!(seconds > 0, "{name} must be at least 1");
        }
        Ok(())
    }

    fn check_limits(&self) -> anyhow::Result<()> {
        let limits = &self.limits;
        ensure!((1024..=1 << 24).contains(&limits.max_buckets), "limits.max_buckets must be from 1024 to 16777216");
        for (name, Bucket { burst, per_hour }) in [
            ("login_per_address", limits.login_per_address),
            ("login_per_account", limits.login_per_account),
            ("login_from_known_address", limits.login_from_known_address),
            ("sign_up_per_address", limits.sign_up_per_address),
            ("mail_per_address", limits.mail_per_address),
            ("mail_per_account", limits.mail_per_account),
            ("refresh_per_address", limits.refresh_per_address),
            ("refresh_per_session", limits.refresh_per_session),
        ] {
            ensure!(burst == 0 || per_hour > 0, "limits.{name}.per_hour must be at least 1");
            ensure!(burst <= 1_000_000, "limits.{name}.burst must be at most 1000000");
        }
        Ok(())
    }
}
