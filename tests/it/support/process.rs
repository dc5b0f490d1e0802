//! The real binary as a process, for what only a process can show: crashes, signals, files, sockets.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::{BOUNDARY, Form, PATIENCE, Told};

/// A running server; killed when dropped.
pub struct Process {
    pub address: SocketAddr,
    child: Child,
    client: Client<HttpConnector, Full<Bytes>>,
    /// Everything that it writes, without the line that has its address.
    output: Option<JoinHandle<String>>,
    is_unread: Arc<(Mutex<bool>, Condvar)>,
    /// What must not be in it.
    told: Told,
}

impl Process {
    /// Starts the server on a free port, with its data in `data_dir`, and waits until it listens.
    pub fn start(data_dir: &Path, adapt: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
        command.args(["--listen", "127.0.0.1:0", "--migrate", "--data-dir"]).arg(data_dir);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        // A busy machine is slow, and that is no failure.
        command.env("CLOAKROOM__HTTP__REQUEST_SECONDS", "300");
        adapt(&mut command);
        let mut child = command.spawn().expect("the server starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (mut first, mut line) = (String::new(), String::new());
        let address = loop {
            first.push_str(&line);
            line.clear();
            assert!(output.read_line(&mut line).expect("the server says where it listens") > 0, "it ended at start");
            if let Some(url) = line.trim().strip_prefix("API") {
                let address = url.trim().trim_start_matches("http://").trim_end_matches("/graphql");
                break address.parse().expect("an address");
            }
        };
        // The log goes on; a full pipe would stop the server.
        let is_unread = Arc::<(Mutex<bool>, Condvar)>::default();
        let gate = Arc::clone(&is_unread);
        let output = std::thread::spawn(move || {
            let mut kept = first;
            while matches!(output.read_line(&mut kept), Ok(1..)) {
                let is_unread = gate.0.lock().expect("no panic");
                drop(gate.1.wait_while(is_unread, |is_unread| *is_unread).expect("no panic"));
            }
            kept
        });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, child, client, output: Some(output), is_unread, told: Told::default() }
    }

    /// Reads nothing more that the server writes, until [`Process::read_on`] or its end.
    pub fn stop_reading(&self) {
        *self.is_unread.0.lock().expect("no panic") = true;
    }

    /// Reads again, from where [`Process::stop_reading`] stopped.
    pub fn read_on(&self) {
        if let Ok(mut is_unread) = self.is_unread.0.lock() {
            *is_unread = false;
        }
        self.is_unread.1.notify_all();
    }

    /// Everything that the server wrote, once it has ended.
    pub fn output(&mut self) -> String {
        self.read_on();
        let output = self.output.take().expect("the output is read once");
        let log = output.join().expect("the output is read");
        self.told.assert_none_in(&log);
        log
    }

    /// Runs an operation; `None` if no whole answer came.
    pub async fn run(&self, token: Option<&str>, query: &str) -> Option<Value> {
        self.told.note_query(query);
        token.into_iter().for_each(|token| self.told.note("accessToken", token));
        self.post(token, "application/json", json!({ "query": query }).to_string()).await
    }

    /// Sends a whole form; `None` if no whole answer came.
    pub async fn upload(&self, token: &str, form: Form) -> Option<Value> {
        self.told.note("accessToken", token);
        self.post(Some(token), &format!("multipart/form-data; boundary={BOUNDARY}"), form.end()).await
    }

    /// The status of a GET.
    pub async fn status(&self, url: &str) -> u16 {
        let request = axum::http::Request::get(url).body(Full::default()).expect("a request");
        self.client.request(request).await.expect("an answer").status().as_u16()
    }

    /// The status and the JSON of a GET; `None` if no whole answer came.
    pub async fn get(&self, url: &str) -> Option<(u16, Value)> {
        let request = axum::http::Request::get(url).body(Full::default()).expect("a request");
        let response = self.client.request(request).await.ok()?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&bytes).ok()?))
    }

    /// Sends any request; the status of its answer.
    pub async fn send(&self, request: axum::http::Request<axum::body::Body>) -> u16 {
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let request = axum::http::Request::from_parts(head, body.into());
        self.client.request(request).await.expect("an answer").status().as_u16()
    }

    async fn post(&self, token: Option<&str>, content_type: &str, body: impl Into<Full<Bytes>>) -> Option<Value> {
        let mut request = axum::http::Request::post(format!("http://{}/graphql", self.address));
        request = request.header("content-type", content_type);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = self.client.request(request.body(body.into()).expect("a request")).await.ok()?;
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        let answer = serde_json::from_slice(&bytes).ok()?;
        self.told.note_answer(&answer);
        Some(answer)
    }

    /// A new user's access token.
    pub async fn sign_up(&self, username: &str) -> String {
        let password = super::PASSWORD;
        let mutation = format!(
            r#"mutation {{ signUp(input: {{ username: "{username}", password: "{password}" }}) {{ tokens {{ accessToken }} }} }}"#
        );
        let answer = self.run(None, &mutation).await.expect("an answer");
        answer["data"]["signUp"]["tokens"]["accessToken"]
            .as_str()
            .unwrap_or_else(|| panic!("a token in {answer}"))
            .to_owned()
    }

    /// Sends a signal and waits for the end.
    pub fn end_with(&mut self, signal: &str) -> std::process::ExitStatus {
        self.signal(signal);
        self.child.wait().expect("the server ends")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill runs");
        assert!(status.success(), "kill -{signal} {pid}");
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it holds, in kB.
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// The root folder as the server sees it, which may be in a mount namespace of its own.
    pub fn root(&self) -> std::path::PathBuf {
        format!("/proc/{}/root", self.child.id()).into()
    }

    /// The exit code if the server has ended.
    pub fn exit_code(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("it is a child")?;
        Some(status.code().unwrap_or_else(|| panic!("an exit code, not {status}")))
    }

    /// Waits for the end, which must come; the exit code.
    pub async fn ended(&mut self) -> i32 {
        let asked = Instant::now();
        loop {
            if let Some(code) = self.exit_code() {
                return code;
            }
            assert!(asked.elapsed() < PATIENCE, "the server does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().expect("the server ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.read_on();
        // Whatever the test was about: nothing that it told the server, or heard of it, is in the log.
        if let Some(output) = self.output.take()
            && let Ok(log) = output.join()
            && !std::thread::panicking()
        {
            self.told.assert_none_in(&log);
        }
    }
}
