//! Rules that concern several settings, or more than a setting's range.

use anyhow::ensure;

use crate::config::{Bucket, Config, ranges};

impl Config {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ranges::check(self)?;
        let accounts = &self.accounts;
        ensure!(
            accounts.refresh_token_seconds >= accounts.access_token_seconds,
            "accounts.refresh_token_seconds must not be less than accounts.access_token_seconds"
        );
        ensure!(
            accounts.session_seconds >= accounts.refresh_token_seconds,
            "accounts.session_seconds must not be less than accounts.refresh_token_seconds"
        );
        ensure!(!accounts.token_issuer.is_empty(), "accounts.token_issuer must not be empty");
        ensure!(!accounts.token_audience.is_empty(), "accounts.token_audience must not be empty");
        // A body may take twice its length while it grows, and a sender has a quarter.
        ensure!(
            self.http.max_body_bytes.saturating_mul(16) <= self.http.max_buffered_bytes,
            "http.max_buffered_bytes must be at least 16 times http.max_body_bytes"
        );
        self.storage.check()?;
        self.check_mails()?;
        self.check_limits()
    }

    /// Refuses mails with links that lead nowhere.
    fn check_mails(&self) -> anyhow::Result<()> {
        let mail = &self.mail;
        let names_pages = [&mail.verify_url, &mail.reset_url, &mail.restore_url].into_iter().all(Option::is_some);
        ensure!(
            mail.smtp_url.is_none() || names_pages || !self.lacks_public_url(),
            "server.public_url must be set, such as \"https://cloakroom.example.org\": links in mails need it, because \
             server.listen ({}) does not say how clients reach this server",
            self.server.listen
        );
        Ok(())
    }

    fn check_limits(&self) -> anyhow::Result<()> {
        let limits = &self.limits;
        ensure!((1024..=1 << 24).contains(&limits.max_buckets), "limits.max_buckets must be from 1024 to 16777216");
        for (name, Bucket { burst, per_hour }) in [
            ("login_per_address", limits.login_per_address),
            ("login_per_account", limits.login_per_account),
            ("login_from_known_address", limits.login_from_known_address),
            ("login_from_new_address", limits.login_from_new_address),
            ("login_from_new_addresses", limits.login_from_new_addresses),
            ("sign_up_per_address", limits.sign_up_per_address),
            ("mail_per_address", limits.mail_per_address),
            ("mail_per_account", limits.mail_per_account),
            ("mail_per_mailbox", limits.mail_per_mailbox),
            ("refresh_per_address", limits.refresh_per_address),
            ("refresh_per_session", limits.refresh_per_session),
        ] {
            ensure!(burst == 0 || per_hour > 0, "limits.{name}.per_hour must be at least 1");
        }
        Ok(())
    }
}
