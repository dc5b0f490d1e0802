//! Where a new password comes from: the terminal, a pipe, or chance. Never an argument.

use std::io::{IsTerminal as _, Read as _, stdin};

use anyhow::{Context as _, bail};
use clap::Args;
use zeroize::Zeroizing;

use crate::accounts::Password;

/// Bytes read from a pipe at most: more than the longest password has.
const MAX_BYTES: u64 = 16 << 10;
/// What a generated password is made of: 32 letters and digits that nobody confuses, 5 bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 100 random bits, in groups that can be read out.
const GENERATED_CHARS: usize = 20;
const GROUP_CHARS: usize = 5;

/// Without either, the password is asked for at the terminal.
#[derive(Args)]
#[group(multiple = false)]
pub(super) struct Source {
    /// Read the password from standard input, to its end; a line break after it is no part of it
    #[arg(long)]
    password_stdin: bool,
    /// Make up a password, and print it once
    #[arg(long)]
    generate_password: bool,
}

/// A password, and its text if nobody has seen it yet.
pub(super) struct Chosen {
    pub(super) password: Password,
    pub(super) generated: Option<Zeroizing<String>>,
}

impl Source {
    pub(super) fn choose(&self) -> anyhow::Result<Chosen> {
        if self.generate_password {
            let text = generate()?;
            return Ok(Chosen { password: Password::from(text.to_string()), generated: Some(text) });
        }
        let text = if self.password_stdin { piped()? } else { asked()? };
        Ok(Chosen { password: text.into(), generated: None })
    }
}

fn generate() -> anyhow::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0_u8; GENERATED_CHARS]);
    getrandom::fill(&mut *random)?;
    let mut text = Zeroizing::new(String::with_capacity(2 * GENERATED_CHARS));
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % GROUP_CHARS == 0 {
            text.push('-');
        }
        // 256 is a multiple of 32: each is as likely as the others.
        text.extend(ALPHABET.get(usize::from(byte % 32)).map(|letter| char::from(*letter)));
    }
    Ok(text)
}

fn piped() -> anyhow::Result<String> {
    if stdin().is_terminal() {
        bail!("standard input is a terminal, which would show the password: leave out --password-stdin");
    }
    let mut text = String::new();
    stdin().lock().take(MAX_BYTES).read_to_string(&mut text).context("cannot read the password")?;
    let end = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).map(str::len);
    text.truncate(end.unwrap_or(text.len()));
    Ok(text)
}

fn asked() -> anyhow::Result<String> {
    if !stdin().is_terminal() {
        bail!("there is no terminal to ask for the password: use --password-stdin or --generate-password");
    }
    let ask = |prompt| rpassword::prompt_password(prompt).context("cannot ask for the password");
    let (password, again) = (ask("Password: ")?, Zeroizing::new(ask("Once more: ")?));
    if password != *again {
        bail!("these are two different passwords: nothing was changed");
    }
    Ok(password)
}
