//! A mail server on loopback: RFC 5321 as far as a client that submits mail speaks it, with STARTTLS (RFC 3207),
//! implicit TLS (RFC 8314) and AUTH PLAIN (RFC 4954). It keeps what it receives.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::tls::certify;
use super::{PATIENCE, ReceivedMail};

/// RFC 5321, section 4.5.3.1.6, without the CRLF.
const MAX_LINE_BYTES: usize = 998;

/// Who may send mail, where the server asks.
pub const SMTP_USER: &str = "cloakroom@example.org";
/// Their password; not in a URL's alphabet.
pub const SMTP_PASSWORD: &str = "p@ss/w:rd%20?";

/// How connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "STARTTLS is the command's name")]
pub enum Tls {
    None,
    StartTls,
    Implicit,
}

/// A mail server; gone when dropped.
///
/// What is before the `@` of a recipient decides what becomes of a mail: `nobody` is refused with 550, `later` with
/// 451, at `silent` the server says nothing more, and at `hangup` it hangs up. Everybody else is accepted.
pub struct SmtpServer {
    pub address: SocketAddr,
    rules: Rules,
    accepting: JoinHandle<()>,
    folder: TempDir,
}

struct Log {
    mails: watch::Sender<Vec<ReceivedMail>>,
    connections: watch::Sender<usize>,
}

/// What every connection needs.
#[derive(Clone)]
struct Rules {
    tls: Tls,
    acceptor: TlsAcceptor,
    only_users: bool,
    log: Arc<Log>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl SmtpServer {
    /// For whoever comes, with a certificate for this machine.
    pub async fn start(tls: Tls) -> Self {
        Self::start_as(tls, &["localhost", "127.0.0.1"], false).await
    }

    /// Only for [`SMTP_USER`].
    pub async fn start_for_users(tls: Tls) -> Self {
        Self::start_as(tls, &["localhost", "127.0.0.1"], true).await
    }

    /// With a certificate for these names.
    pub async fn start_as(tls: Tls, names: &[&str], only_users: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (ca, acceptor) = certify(names);
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), ca).expect("the authority is written");
        let log = Arc::new(Log { mails: watch::Sender::default(), connections: watch::Sender::default() });
        let rules = Rules { tls, acceptor, only_users, log };
        let accepting = tokio::spawn(accept(listener, rules.clone()));
        Self { address, rules, accepting, folder }
    }

    /// For `mail.smtp_url`, without a user.
    pub fn url(&self) -> String {
        self.url_of("")
    }

    /// For `mail.smtp_url`, with this user and password, percent-encoded and followed by `@`.
    pub fn url_of(&self, user: &str) -> String {
        let port = self.address.port();
        match self.rules.tls {
            Tls::None => format!("smtp://{user}127.0.0.1:{port}"),
            Tls::StartTls => format!("smtp://{user}localhost:{port}?tls=required"),
            Tls::Implicit => format!("smtps://{user}localhost:{port}"),
        }
    }

    /// For `mail.smtp_ca_file`.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What was received so far.
    pub fn received(&self) -> Vec<ReceivedMail> {
        self.rules.log.mails.borrow().clone()
    }

    /// Waits until `count` mails were received, and returns all there are.
    pub async fn mails(&self, count: usize) -> Vec<ReceivedMail> {
        let mut mails = self.rules.log.mails.subscribe();
        let enough = tokio::time::timeout(PATIENCE, mails.wait_for(|mails| mails.len() >= count)).await;
        enough.unwrap_or_else(|_| panic!("{count} mails in time, not {:?}", self.received())).expect("a server").clone()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        *self.rules.log.connections.borrow()
    }

    /// Ends the server and its connections.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        drop((&mut self.accepting).await);
    }

    /// Starts it again, where it was.
    pub async fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is free still");
        self.accepting = tokio::spawn(accept(listener, self.rules.clone()));
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, rules: Rules) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        rules.log.connections.send_modify(|count| *count += 1);
        connections.spawn(serve(stream, rules.clone()));
    }
}

/// `None` when the client is gone or the connection is of no more use.
async fn serve(stream: TcpStream, rules: Rules) -> Option<()> {
    let mut stream: Box<dyn Stream> = match rules.tls {
        Tls::Implicit => Box::new(rules.acceptor.accept(stream).await.ok()?),
        Tls::None | Tls::StartTls => Box::new(stream),
    };
    let mut is_encrypted = rules.tls == Tls::Implicit;
    stream.write_all(b"220 localhost ESMTP\r\n").await.ok()?;
    loop {
        let mut conversation = Conversation::new(&rules, stream, is_encrypted);
        while conversation.go_on().await? {}
        // STARTTLS: what came unencrypted is forgotten, and what came too early is an attack.
        assert!(conversation.stream.buffer().is_empty(), "nothing is sent before TLS");
        stream = Box::new(rules.acceptor.accept(conversation.stream.into_inner()).await.ok()?);
        is_encrypted = true;
    }
}

/// What was said since the connection was opened or encrypted.
struct Conversation<'r> {
    rules: &'r Rules,
    stream: BufReader<Box<dyn Stream>>,
    is_encrypted: bool,
    greeted: bool,
    known: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl<'r> Conversation<'r> {
    fn new(rules: &'r Rules, stream: Box<dyn Stream>, is_encrypted: bool) -> Self {
        let stream = BufReader::new(stream);
        Self { rules, stream, is_encrypted, greeted: false, known: !rules.only_users, from: None, to: Vec::new() }
    }

    /// Answers one command; `false` when TLS is to begin.
    async fn go_on(&mut self) -> Option<bool> {
        let line = self.line().await?;
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let begins_tls = self.rules.tls == Tls::StartTls && !self.is_encrypted;
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" if !rest.is_empty() => {
                self.greeted = true;
                let offer = if begins_tls { "STARTTLS" } else { "AUTH PLAIN" };
                self.say(&format!("250-localhost\r\n250-8BITMIME\r\n250 {offer}")).await?;
            }
            "NOOP" => self.say("250 OK").await?,
            "RSET" => {
                self.forget();
                self.say("250 OK").await?;
            }
            "QUIT" => {
                self.say("221 Bye").await?;
                return None;
            }
            _ if !self.greeted => self.say("503 Say EHLO first").await?,
            "STARTTLS" if begins_tls => {
                self.say("220 Go ahead").await?;
                return Some(false);
            }
            _ if begins_tls => self.say("530 5.7.0 Say STARTTLS first").await?,
            "AUTH" => self.authenticate(rest).await?,
            _ if !self.known => self.say("530 5.7.0 Say AUTH first").await?,
            "MAIL" => self.begin(rest).await?,
            "RCPT" => self.address(rest).await?,
            "DATA" if !self.to.is_empty() => self.receive().await?,
            "DATA" => self.say("503 Not now").await?,
            _ => self.say("500 What?").await?,
        }
        Some(true)
    }

    async fn authenticate(&mut self, rest: &str) -> Option<()> {
        let expected = STANDARD.encode(format!("\0{SMTP_USER}\0{SMTP_PASSWORD}"));
        self.known = rest.strip_prefix("PLAIN ") == Some(&expected);
        self.say(if self.known { "235 Welcome" } else { "535 5.7.8 Wrong user or password" }).await
    }

    async fn begin(&mut self, rest: &str) -> Option<()> {
        if self.from.is_some() {
            return self.say("503 One mail at a time").await;
        }
        self.from = path(rest, "FROM:");
        self.say(if self.from.is_some() { "250 OK" } else { "501 MAIL FROM:<…>" }).await
    }

    async fn address(&mut self, rest: &str) -> Option<()> {
        let (Some(to), Some(_)) = (path(rest, "TO:"), &self.from) else { return self.say("503 Not now").await };
        match to.split('@').next().unwrap_or_default() {
            // Servers do repeat the address.
            "nobody" => self.say(&format!("550 5.1.1 <{to}> does not exist here")).await,
            "later" => self.say(&format!("451 4.3.0 <{to}> is busy")).await,
            "silent" => std::future::pending().await,
            "hangup" => None,
            _ => {
                self.to.push(to);
                self.say("250 OK").await
            }
        }
    }

    async fn receive(&mut self) -> Option<()> {
        self.say("354 Go ahead").await?;
        let mut raw = String::new();
        loop {
            let line = self.line().await?;
            match line.strip_prefix('.') {
                Some("") => break,
                Some(stuffed) => raw.push_str(stuffed),
                None => raw.push_str(&line),
            }
            raw.push_str("\r\n");
        }
        let from = self.from.take().unwrap_or_default();
        let to = std::mem::take(&mut self.to).join(", ");
        // First, so that whoever hears the answer finds the mail.
        self.rules.log.mails.send_modify(|mails| mails.push(ReceivedMail::read(from, to, raw)));
        self.say("250 Received").await
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await.ok().filter(|count| *count > 0)?;
        let line = String::from_utf8(line).expect("UTF-8");
        let line = line.strip_suffix("\r\n").expect("a line ends in CRLF");
        assert!(line.len() <= MAX_LINE_BYTES && !line.contains('\r'), "no line of a mail: {line:?}");
        Some(line.to_owned())
    }

    async fn say(&mut self, answer: &str) -> Option<()> {
        self.stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        self.stream.flush().await.ok()
    }
}

/// `FROM:<anna@example.org>` and parameters.
fn path(rest: &str, start: &str) -> Option<String> {
    let path = rest.get(start.len()..).filter(|_| rest.to_ascii_uppercase().starts_with(start))?;
    let (path, parameters) = path.strip_prefix('<')?.split_once('>')?;
    assert!(parameters.is_empty() || parameters.starts_with(' '), "parameters, not {parameters:?}");
    Some(path.to_owned())
}
