//! How much memory the worst pictures take: in a process of their own, the kernel says how much it was at most.

use std::fs;
use std::process::Command;

use super::prepare;
use crate::photos::corpus::{gif, jpeg, png, webp};
use crate::support::TestDatabase;

/// Where the other process finds its pictures.
const FOLDER: &str = "CLOAKROOM_TEST_PICTURES";
/// What a server takes for everything else is left to it.
const MAX_KIB: u64 = (512 - 64) << 10;

/// Almost 50 megapixels of each kind. Unoptimised, those that are decoded row by row take too long, and least memory.
fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let (width, height) = (8660, 5773);
    let (wide, high) = (u32::from(width), u32::from(height));
    let png = |depth, colour, interlaced| png::flat(wide, high, png::Kind { depth, colour, interlaced });
    let still = |flags, size, chunks: Vec<u8>| webp::riff(&[webp::extended(flags, size), chunks]);
    let first = webp::frame((0, 0), (wide, high), &[webp::flat_lossless(wide, high)]);
    let with_alpha = [webp::flat_alpha(), webp::flat_lossy(5950, 5950)].concat();
    let most = vec![
        ("progressive jpeg", jpeg::flat(width, height, 3, true)),
        ("progressive cmyk jpeg", jpeg::flat(8000, 5700, 4, true)),
        ("lossless webp", webp::riff(&[webp::flat_lossless(wide, high)])),
        ("lossy webp with alpha", still(0x10, (5950, 5950), with_alpha)),
    ];
    if cfg!(debug_assertions) {
        return most;
    }
    let others = vec![
        ("jpeg", jpeg::flat(width, height, 3, false)),
        ("cmyk jpeg", jpeg::flat(width, height, 4, false)),
        ("16-bit png", png(16, 6, false)),
        ("interlaced 16-bit png", png(16, 6, true)),
        // Just small enough not to be shrunk while it is decoded.
        ("interlaced png of 3839", png::flat(3839, 3839, png::Kind { depth: 16, colour: 6, interlaced: true })),
        ("gif", gif::flat(width, height)),
        ("lossy webp", webp::riff(&[webp::flat_lossy(width, height)])),
        ("animated webp", still(2, (wide, high), [webp::chunk(b"ANIM", &[0; 6]), first].concat())),
    ];
    [most, others].concat()
}

#[test]
fn no_picture_takes_more_than_half_a_gigabyte() {
    if !TestDatabase::is_sqlite() {
        // No database is asked, and it takes long.
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, file) in worst() {
        fs::write(folder.path().join(name), file).expect("a file");
    }
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "photos::picture::memory::the_other_process", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .expect("another process");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    let most = report.lines().filter_map(|line| line.rsplit_once(" KiB=")?.1.parse::<u64>().ok()).max();
    assert!(most.is_some_and(|most| most < MAX_KIB), "{report}");
}

#[test]
#[ignore = "a part of the test above"]
#[expect(clippy::print_stdout, reason = "what the test above reads")]
fn the_other_process() {
    let folder = std::env::var_os(FOLDER).expect("a folder");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let file = fs::read(&path).expect("a file");
        let began = std::time::Instant::now();
        let refusal = prepare(&file).err();
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let name = path.file_name().unwrap_or_default().display();
        println!("{name}: {refusal:?} in {:?} KiB={}", began.elapsed(), peak.expect("a peak"));
        assert_eq!(refusal, None, "{name}");
    }
}
