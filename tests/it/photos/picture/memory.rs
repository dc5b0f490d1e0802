//! How much memory the worst pictures take: in a process of their own, the kernel says how much it was at most.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use cloakroom::photos::picture;
use serde_json::json;

use super::LIMITS;
use crate::photos::corpus::{gif, jpeg, png, webp};
use crate::support::{Form, Length, Process, TestApp, TestDatabase, picture as small_picture};

/// Where the other process finds its picture.
const FILE: &str = "CLOAKROOM_TEST_PICTURE";
/// What a server takes for everything else is left to it.
const MAX_KIB: u64 = (512 - 64) << 10;

/// What a server may take for pictures, beside the 80 MiB that it has at rest. A debug build has 60 MiB more at rest.
const MAX_GROWTH_KIB: u64 = (512 - 80) << 10;

/// What the first picture of a process takes once: code and tables, and the allocator's own.
const ONCE_KIB: u64 = 16 << 10;
/// What the name of a picture that is refused begins with.
const REFUSED: &str = "refused: ";

/// Almost 64 megapixels of each kind, or as many as are allowed. Unoptimised, those that are decoded row by row take too long, and least memory.
fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let (width, height) = (9459, 7094);
    let (wide, high) = (u32::from(width), u32::from(height));
    let png = |depth, colour, interlaced| png::flat(wide, high, png::Kind { depth, colour, interlaced });
    let still = |flags, size, chunks: Vec<u8>| webp::riff(&[webp::extended(flags, size), chunks]);
    let first = webp::frame((0, 0), (wide, high), &[webp::flat_lossless(wide, high)]);
    let with_alpha = [webp::flat_alpha(), webp::flat_lossy(5950, 5950)].concat();
    let canvas = |wide, high| {
        let tiny = webp::frame((0, 0), (1, 1), &[webp::flat_lossless(1, 1)]);
        still(2, (wide, high), [webp::chunk(b"ANIM", &[0; 6]), tiny].concat())
    };
    let most = vec![
        ("progressive jpeg", jpeg::flat(9000, 6900, 3, true)),
        ("refused: progressive jpeg", jpeg::flat(width, height, 3, true)),
        ("progressive cmyk jpeg", jpeg::flat(8000, 5700, 4, true)),
        ("lossless webp", webp::riff(&[webp::flat_lossless(wide, high)])),
        ("lossy webp with alpha", still(0x10, (5950, 5950), with_alpha)),
        ("png with a profile of 350 MB", png::with_bomb(350 << 20)),
        ("refused: png of one row", png::flat(50_000_000, 1, png::Kind { depth: 1, ..GRAY })),
        ("refused: png of one column", png::flat(1, 50_000_000, png::Kind { depth: 1, ..GRAY })),
        ("refused: animated webp of two rows", canvas(16_777_216, 2)),
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
        // As long as an edge may be, and just narrow enough not to be shrunk while it is decoded.
        ("animated webp, long and narrow", canvas(65_535, 319)),
        ("16-bit png, long and narrow", png::flat(65_535, 319, DEEP)),
        ("16-bit png, high and narrow", png::flat(319, 65_535, DEEP)),
        ("interlaced 16-bit png, long and narrow", png::flat(65_535, 319, png::Kind { interlaced: true, ..DEEP })),
        ("16-bit png of the longest row", png::flat(65_535, 762, DEEP)),
        ("interlaced 16-bit png of the longest row", png::flat(65_535, 762, png::Kind { interlaced: true, ..DEEP })),
        ("gif", gif::flat(width, height)),
        ("lossy webp", webp::riff(&[webp::flat_lossy(width, height)])),
        ("animated webp", still(2, (wide, high), [webp::chunk(b"ANIM", &[0; 6]), first].concat())),
    ];
    [most, others].concat()
}

const GRAY: png::Kind = png::Kind { depth: 8, colour: 0, interlaced: false };
const DEEP: png::Kind = png::Kind { depth: 16, ..png::RGBA };

#[test]
fn no_picture_takes_more_than_half_a_gigabyte_nor_more_than_was_foretold() {
    if !TestDatabase::is_sqlite() {
        // No database is asked, and it takes long.
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, file) in worst() {
        let path = folder.path().join(name);
        fs::write(&path, file).expect("a file");
        let (most, report) = run_other("the_other_process", &path);
        assert!(most < MAX_KIB, "{report}");
    }
}

#[test]
fn many_pictures_at_once_take_no_more_than_half_a_gigabyte() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let (most, report) = run_other("the_other_server", Path::new(""));
    assert!(most < 512 << 10, "{report}");
}

/// The real server, with its own allocator. Each picture follows each other one when the rounds go on (`tests/README.md`).
#[tokio::test]
async fn a_server_that_gets_the_worst_pictures_one_after_the_other_has_less_than_half_a_gigabyte() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let server = Process::start(data.path(), |command| {
        command.env_clear();
    });
    let token = server.sign_up("anna").await;
    let mutation =
        "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) { photos { id } userErrors { code } } }";
    let variables = json!({ "input": { "photos": [{ "file": null }] } });
    let upload = async |file: &[u8]| {
        let form = Form::of(mutation, &variables, &[("variables.input.photos.0.file", file)]);
        server.upload(&token, form).await.expect("an answer")
    };
    // The pages of the program that a first picture needs are counted before.
    upload(&small_picture([1, 2, 3])).await;
    let at_rest = peak_kib_of(server.id());
    let (pictures, mut rounds, mut most) = (worst(), Length::rounds(1), at_rest);
    for step in 1.. {
        if !rounds.goes_on() {
            break;
        }
        for number in 0..pictures.len() {
            let (name, file) = &pictures[(number * step) % pictures.len()];
            let answer = upload(file).await;
            let refused = !answer["data"]["uploadPhotos"]["photos"].is_array();
            assert_eq!(refused, name.starts_with(REFUSED), "{name}: {answer}");
            most = peak_kib_of(server.id());
            assert!(most - at_rest < MAX_GROWTH_KIB, "{at_rest} KiB at rest, {most} after {name} in round {step}");
        }
    }
    let mebibytes = |kib: u64| usize::try_from(kib >> 10).expect("small");
    rounds.tell(&[("MiB at rest", mebibytes(at_rest)), ("MiB at most", mebibytes(most))]);
}

/// What another process needed at most, in KiB, to run this test, and what it says.
fn run_other(test: &str, file: &Path) -> (u64, String) {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("photos::picture::memory::{test}"), "--ignored", "--nocapture"])
        .env(FILE, file)
        // What is given back goes back: the tests' allocator would keep some of it for each thread.
        .env("MALLOC_MMAP_THRESHOLD_", "1048576")
        .output()
        .expect("another process");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    let most = report.lines().find_map(|line| line.rsplit_once(" KiB=")?.1.parse().ok());
    (most.expect("a peak"), report)
}

/// The most memory that this process had, in KiB.
fn peak_kib() -> u64 {
    peak_kib_of(std::process::id())
}

fn peak_kib_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.expect("a peak").parse().expect("a number")
}

#[test]
#[ignore = "a part of a test above"]
#[expect(clippy::print_stdout, reason = "what the test above reads")]
fn the_other_process() {
    let path = PathBuf::from(std::env::var_os(FILE).expect("a file"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = Bytes::from(fs::read(&path).expect("a file"));
    // The pages of the program that a first picture needs are counted before.
    let first = picture::clean(small_picture([1, 2, 3]).into(), &LIMITS).and_then(picture::Clean::make_sizes);
    assert!(first.is_ok());
    let (before, length, began) = (peak_kib(), file.len() as u64, Instant::now());
    let clean = picture::clean(file, &LIMITS);
    // Cleaning takes the file, which is counted already, and as much twice again.
    let foretold = clean.as_ref().map_or(0, |clean| clean.working_bytes() + 2 * length) >> 10;
    let refusal = clean.and_then(picture::Clean::make_sizes).err();
    let (took, most) = (began.elapsed(), peak_kib());
    println!("{name}: {refusal:?} in {took:?}, {} of {foretold} KiB KiB={most}", most - before);
    assert_eq!(refusal.is_some(), name.starts_with(REFUSED), "{name}");
    assert!(most - before <= foretold + ONCE_KIB, "{name}");
}

/// A server with 16 cores that gets eight of the worst at once, and small pictures among them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of a test above"]
#[expect(clippy::print_stdout, reason = "what the test above reads")]
async fn the_other_server() {
    let test = TestApp::with_config(|config| config.photos.threads = 8).await;
    let anna = test.sign_up("anna").await;
    let worst = jpeg::flat(8660, 5773, 3, true);
    let uploads = (0..8).map(|number| {
        let (anna, file) = (anna.clone(), if number % 4 == 3 { small_picture([1, 2, 3]) } else { worst.clone() });
        tokio::spawn(async move { anna.drafts(&[&file]).await })
    });
    let uploads: Vec<_> = uploads.collect();
    for upload in uploads {
        assert_eq!(upload.await.expect("it ends well").len(), 1);
    }
    println!("eight at once KiB={}", peak_kib());
}
