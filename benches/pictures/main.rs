//! What the sizes of a photo cost: our pipeline against sharp (libvips), on one core, in turns.
//!
//! ```sh
//! cargo bench --bench pictures                # half a minute, and the installation of sharp the first time
//! cargo bench --bench pictures -- --rounds 5
//! ```
//!
//! Both decode the same generated JPEG of 12 megapixels and write LARGE, SMALL and THUMBNAIL as JPEG of quality 80. Ours
//! also takes the original's container apart and makes the thumbhash. They take turns, so that what else the machine
//! does hits both, and the ratio is the median of the ratios of each turn. Needs Linux, Node and npm.

#![expect(clippy::expect_used, reason = "a measurement that cannot go on says why and ends")]

mod picture;
mod sharp;

use std::io::Write as _;
use std::time::Instant;

use bytes::Bytes;
use cloakroom::photos::picture::{Limits, Size, prepare};

use sharp::Sharp;

/// The product's allocator: the pictures' buffers are large.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LIMITS: Limits = Limits { max_bytes: 20 << 20, max_pixels: 64 << 20 };

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--rounds").skip(1);
    let rounds = arguments.next().map_or(Ok(31), |rounds| rounds.parse::<usize>())?;
    let folder = sharp::install()?;
    // sharp inherits it.
    let mut core = rustix::thread::CpuSet::new();
    core.set(0);
    rustix::thread::sched_setaffinity(None, &core)?;
    for (name, progressive) in [("baseline", false), ("progressive", true)] {
        let file = picture::jpeg(progressive);
        let path = folder.join("12-megapixels.jpg");
        std::fs::write(&path, &file)?;
        contest(name, &Bytes::from(file), &mut Sharp::start(&folder, &path)?, rounds)?;
    }
    Ok(())
}

fn contest(name: &str, file: &Bytes, sharp: &mut Sharp, rounds: usize) -> anyhow::Result<()> {
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds + 2 {
        let our = our_milliseconds(file);
        let their = sharp.milliseconds()?;
        // The first two warm up.
        if round >= 2 {
            ours.push(our);
            theirs.push(their);
            ratios.push(our / their);
        }
    }
    let mut out = std::io::stdout().lock();
    let (ours, theirs, ratio) = (spread(&mut ours), spread(&mut theirs), spread(&mut ratios));
    writeln!(out, "{name} JPEG, 12 megapixels, {} bytes, {rounds} rounds, one core:", file.len())?;
    writeln!(out, "  cloakroom {ours} ms\n  sharp     {theirs} ms\n  ratio     {ratio} of sharp's time")?;
    Ok(())
}

fn our_milliseconds(file: &Bytes) -> f64 {
    let began = Instant::now();
    let prepared = prepare(file.clone(), &LIMITS).expect("a picture");
    let taken = began.elapsed().as_secs_f64() * 1e3;
    assert_eq!(prepared.renditions.len(), Size::ALL.len());
    taken
}

/// Median, least and most.
fn spread(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    format!("{:.2} ({:.2} to {:.2})", at(values.len() / 2), at(0), at(values.len().saturating_sub(1)))
}
