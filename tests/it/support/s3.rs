//! S3 servers on this machine, each with one bucket: `moto` refuses the requests that S3 refuses and lets everybody in,
//! and `s3rver` does the reverse. Neither checks signatures of version 4.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use cloakroom::config::Storage;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::parsed;

const BUCKET: &str = "pictures";
/// Both servers, in this run of the tests.
static INSTALLED: Once = Once::new();

/// A running server, until it is dropped or this process ends.
pub struct S3Server {
    pub address: String,
    child: Child,
    _folder: TempDir,
}

impl S3Server {
    /// Starts `moto`.
    pub async fn moto() -> Self {
        let server = Self::start(&top("target/s3/bin/moto_server"), " * Running on http://", |command, _| {
            command.args(["-H", "127.0.0.1", "-p", "0"]);
        });
        let mut stream = TcpStream::connect(&server.address).await.expect("it listens");
        let request = format!("PUT /{BUCKET} HTTP/1.1\r\nhost: s3\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "a bucket: {answer}");
        server
    }

    /// Starts `s3rver`.
    pub fn s3rver() -> Self {
        Self::start(&top("tests/s3/node_modules/.bin/s3rver"), "S3rver listening on ", |command, folder| {
            command.args(["-a", "127.0.0.1", "-p", "0", "--configure-bucket", BUCKET, "-d"]).arg(folder);
        })
    }

    fn start(program: &Path, says: &str, adapt: impl FnOnce(&mut Command, &Path)) -> Self {
        INSTALLED.call_once(install);
        assert!(program.exists(), "{} is not there after tests/s3/install", program.display());
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("sh");
        // One output, because one of them speaks on its standard error. It ends with us, however we do.
        let script = r#""$0" "$@" 2>&1 & read -r never; kill $!"#;
        command.args(["-c", script]).arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        adapt(&mut command, folder.path());
        let mut child = command.spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let address = loop {
            let line = output.next().expect("it says where it listens").expect("text");
            if let Some(address) = line.strip_prefix(says) {
                break address.trim().to_owned();
            }
        };
        // The log goes on; a full pipe would stop the server.
        std::thread::spawn(move || output.for_each(drop));
        Self { address, child, _folder: folder }
    }

    /// Settings for this server.
    pub fn settings(&self, storage: &mut Storage) {
        s3_settings(storage, &self.address);
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// Settings for whatever listens at this address.
pub fn s3_settings(storage: &mut Storage, address: &str) {
    storage.url = parsed(&format!("s3://{BUCKET}/of/tests"));
    storage.s3_endpoint = Some(parsed(&format!("http://{address}")));
    // s3rver knows these.
    storage.s3_access_key_id = "S3RVER".to_owned();
    storage.s3_secret_access_key = "S3RVER".into();
}

/// Nobody has to prepare anything before `cargo test`; what is there already is left alone.
fn install() {
    let installed =
        ["target/s3/bin/moto_server", "tests/s3/node_modules/.bin/s3rver"].map(|program| top(program).exists());
    if installed.contains(&false) {
        let status = Command::new(top("tests/s3/install")).status().expect("a shell");
        assert!(status.success(), "tests/s3/install failed: it needs npm, Python 3 and their package registries");
    }
}

fn top(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
