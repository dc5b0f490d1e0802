//! `cargo bench --bench next -- photos`: uploads end to end, and thumbnails beside nginx.
//!
//! An upload is a multipart request with one JPEG of 12 megapixels, answered when its four sizes are on disk and its rows
//! committed. A thumbnail is fetched by its signed link, with the photo's row asked each time: by all connections that of
//! one photo, or by each that of a photo of its own. nginx serves the same bytes from a file, without a log.

mod nginx;
#[expect(clippy::expect_used, reason = "a measurement that cannot go on says why and ends")]
#[path = "../../pictures/picture.rs"]
mod picture;

use std::{
    cell::Cell,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::{
    task::{JoinSet, LocalSet},
    time::sleep,
};

use crate::{
    accounts,
    connection::Connection,
    contender::cloakroom,
    flood::Rate,
    machine::{header, progress},
    measure::PAUSE,
    operation::require_ok,
    options::Options,
    report::Spread,
    server::Server,
};

/// Uploads at once: two more than there are cores wait.
const UPLOADERS: usize = 4;
/// Connections that fetch.
const FETCHERS: usize = 64;

const OPERATIONS: &str = r#"{"query":"mutation($file: Upload!) { uploadPhotos(input: {photos: [{file: $file}]}) { photos { image(size: THUMBNAIL) { url } } userErrors { code message } } }","variables":{"file":null}}"#;

struct Round {
    uploads: Rate,
    one_photo: Rate,
    many_photos: Rate,
    nginx: Rate,
}

pub(crate) async fn everything(options: &Options) -> anyhow::Result<()> {
    let mut command = cloakroom();
    command.env("CLOAKROOM__PHOTOS__QUOTA_BYTES", "1000000000000");
    let server = Server::start(command).await?;
    let tokens = accounts::sign_up(&server, 1).await.with_context(|| server.last_words())?;
    let upload = upload(server.address, tokens.first().context("a user signed up")?, &picture::jpeg(false));
    let (mut fetches, mut thumbnail) = (Vec::new(), Vec::new());
    for _ in 0..FETCHERS {
        let path;
        (path, thumbnail) = upload_and_fetch(&server, &upload).await?;
        fetches.push(get(server.address, &path));
    }
    let nginx = nginx::start(&thumbnail).await?;
    let fetch_from_nginx = [get(nginx.address, nginx::PATH)];
    let one = fetches.get(..1).context("there is a photo")?;
    let mut rounds = Vec::new();
    let local = LocalSet::new();
    for number in 0..=options.rounds {
        // The first one warms up.
        let duration = if number == 0 { options.warm_up() } else { options.round() };
        progress(&format!("round {number} of {}", options.rounds))?;
        let round = local.run_until(async {
            let uploads = rate(&server, std::slice::from_ref(&upload), UPLOADERS, None, duration).await?;
            sleep(PAUSE).await;
            let one_photo = rate(&server, one, FETCHERS, Some(&thumbnail), duration).await?;
            sleep(PAUSE).await;
            let many_photos = rate(&server, &fetches, FETCHERS, Some(&thumbnail), duration).await?;
            sleep(PAUSE).await;
            let nginx = rate(&nginx, &fetch_from_nginx, FETCHERS, Some(&thumbnail), duration).await?;
            sleep(PAUSE).await;
            anyhow::Ok(Round { uploads, one_photo, many_photos, nginx })
        });
        let round = round.await.with_context(|| server.last_words())?;
        if number > 0 {
            rounds.push(round);
        }
    }
    print(&header(options, None)?, &rounds, thumbnail.len())
}

/// Uploads once, and fetches the thumbnail: its path, and its bytes.
async fn upload_and_fetch(server: &Server, upload: &[u8]) -> anyhow::Result<(String, Vec<u8>)> {
    let mut connection = Connection::open(server.address).await?;
    let answer = connection.ask(upload).await?;
    require_ok(answer.status, answer.body)?;
    let body: Value = serde_json::from_slice(answer.body)?;
    let url = body.pointer("/data/uploadPhotos/photos/0/image/url").and_then(Value::as_str);
    let url = url.with_context(|| format!("unexpected answer to uploadPhotos: {body}"))?;
    let path = url.find("/photos/").and_then(|start| url.get(start..)).context("an image's URL has a path")?;
    let answer = connection.ask(&get(server.address, path)).await?;
    require_ok(answer.status, answer.body)?;
    Ok((path.to_owned(), answer.body.to_vec()))
}

/// Each of so many connections asks the same again and again, these requests in turn; each answer is 200, and the expected
/// one if there is one.
async fn rate(
    server: &Server,
    requests: &[Vec<u8>],
    connections: usize,
    expected: Option<&[u8]>,
    duration: Duration,
) -> anyhow::Result<Rate> {
    let (answered, over) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(false)));
    let expected = expected.map(Rc::<[u8]>::from);
    let mut clients = JoinSet::new();
    let (begun, processor) = (Instant::now(), server.processor_time()?);
    for request in requests.iter().cycle().take(connections) {
        let mut connection = Connection::open(server.address).await?;
        let (answered, over) = (Rc::clone(&answered), Rc::clone(&over));
        let (request, expected) = (request.clone(), expected.clone());
        clients.spawn_local(async move {
            while !over.get() {
                let answer = connection.ask(&request).await?;
                require_ok(answer.status, answer.body)?;
                let good = match &expected {
                    Some(expected) => answer.body == &**expected,
                    None => answer.body.ends_with(br#""userErrors":[]}}}"#),
                };
                ensure!(good, "unexpected answer: {}", String::from_utf8_lossy(answer.body));
                answered.set(answered.get() + 1);
            }
            anyhow::Ok(())
        });
    }
    sleep(duration).await;
    over.set(true);
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(Rate::of(answered.get(), begun.elapsed(), server.processor_time()?.saturating_sub(processor)))
}

fn get(host: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
}

/// A multipart request with one file.
fn upload(host: SocketAddr, token: &str, file: &[u8]) -> Vec<u8> {
    const BOUNDARY: &str = "a-part-ends-here";
    let part = |name: &str, rest: &str| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{rest}\r\n\r\n")
    };
    let mut body = part("operations", "").into_bytes();
    body.extend_from_slice(OPERATIONS.as_bytes());
    body.extend_from_slice(format!("\r\n{}", part("map", "")).as_bytes());
    body.extend_from_slice(br#"{"0":["variables.file"]}"#);
    body.extend_from_slice(format!("\r\n{}", part("0", "; filename=\"photo.jpg\"")).as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let length = body.len();
    let mut request = format!(
        "POST /graphql HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(&body);
    request
}

fn print(header: &str, rounds: &[Round], bytes: usize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{header}. Every answer checked.\n")?;
    writeln!(out, "| measured | per second | per second of its CPU | ÷ nginx |")?;
    writeln!(out, "|---|--:|--:|--:|")?;
    let spread = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    let mut row = |what: String, rate: fn(&Round) -> Rate, ratio: String| {
        let walls = spread(&|round| rate(round).a_second).rates();
        let processors = spread(&|round| rate(round).a_processor_second).rates();
        writeln!(out, "| {what} | {walls} | {processors} | {ratio} |")
    };
    row(format!("uploads of 12 megapixels, {UPLOADERS} at once"), |round| round.uploads, String::new())?;
    let thumbnails = format!("thumbnails of {bytes} bytes, {FETCHERS} connections");
    let ratio = spread(&|round| round.one_photo.a_second / round.nginx.a_second).ratios();
    row(format!("{thumbnails}, one photo"), |round| round.one_photo, ratio)?;
    let ratio = spread(&|round| round.many_photos.a_second / round.nginx.a_second).ratios();
    row(format!("{thumbnails}, a photo for each"), |round| round.many_photos, ratio)?;
    row("the same file by nginx".to_owned(), |round| round.nginx, String::new())?;
    Ok(())
}

/// Where nginx is to find its file.
fn leave(directory: &Path, thumbnail: &[u8]) -> anyhow::Result<()> {
    Ok(std::fs::write(directory.join("thumbnail.jpg"), thumbnail)?)
}
