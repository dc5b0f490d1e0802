//! The console without a terminal: what it is given is run, and each answer is JSON.

use std::io::BufRead;

use anyhow::{Context as _, bail};

use crate::cli::console::input::{is_command, is_unfinished};
use crate::cli::console::{Console, Then, whole};
use crate::cli::say;

/// Runs what stands between blank lines, piece by piece, each as soon as it is there.
pub(super) fn run(console: &mut Console, input: impl BufRead) -> anyhow::Result<()> {
    let (mut piece, mut failed, mut run) = (String::new(), 0, 0);
    let mut obey = |piece: &mut String| {
        let text = std::mem::take(piece);
        console.obey(&text, |console, document| {
            let runtime = console.runtime.handle().clone();
            let answer = runtime.block_on(console.execute(document))?;
            run += 1;
            failed += u32::from(!answer.response.errors.is_empty());
            say(whole(&answer)?)
        })
    };
    for line in input.lines() {
        let line = line.context("cannot read the operations")?;
        piece.push_str(&line);
        piece.push('\n');
        let may_end = line.trim().is_empty() || is_command(&piece);
        if may_end && !is_unfinished(&piece) && obey(&mut piece)? == Then::End {
            break;
        }
    }
    obey(&mut piece)?;
    match failed {
        0 => Ok(()),
        1 if run == 1 => bail!("the answer has errors"),
        _ => bail!("{failed} of {run} answers have errors"),
    }
}
