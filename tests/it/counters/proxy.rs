//! The network between a server and its database, which loses answers and goes silent on demand.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cloakroom::store::Backend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::TestDatabase;

/// The SQL whose row locks a partition is to leave behind.
const LOCKING: &[u8] = b"FOR UPDATE";

/// A proxy of the database server.
pub struct Proxy {
    /// The database, as seen through it.
    pub url: String,
    network: Arc<Network>,
}

struct Network {
    /// Every so many answers of the database one is lost, and its connection with it; 0 for none.
    lose_every: AtomicU64,
    answers: AtomicU64,
    /// Whether to fall silent when rows have been locked.
    silent_at_lock: AtomicBool,
    silent: watch::Sender<bool>,
    /// Connections opened before this one are dead: nothing passes, nothing is closed.
    abandoned_before: watch::Sender<u64>,
    opened: AtomicU64,
    /// The SQL during which the connections are to be abandoned.
    abandon_at: Mutex<Option<&'static [u8]>>,
}

impl Proxy {
    /// In front of the database with this URL.
    pub async fn start(url: &str) -> Self {
        let (server, name) = url.rsplit_once('/').expect("postgres://USER@HOST/NAME");
        let (user, database) = server.rsplit_once('@').expect("postgres://USER@HOST/NAME");
        let (port, in_the_clear) = match TestDatabase::backend() {
            // Every statement is sent to be parsed, though it was before.
            Backend::Mysql => ("3306", "ssl-mode=DISABLED&statement-cache-capacity=0"),
            _ => ("5432", "sslmode=disable"),
        };
        let database = if database.contains(':') { database.to_owned() } else { format!("{database}:{port}") };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let network = Arc::new(Network {
            lose_every: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            silent_at_lock: AtomicBool::new(false),
            silent: watch::Sender::new(false),
            abandoned_before: watch::Sender::new(0),
            opened: AtomicU64::new(0),
            abandon_at: Mutex::default(),
        });
        let carried = Arc::clone(&network);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (network, database) = (Arc::clone(&carried), database.clone());
                tokio::spawn(async move {
                    let server = TcpStream::connect(database).await.expect("the database server is reachable");
                    network.carry(client, server).await;
                });
            }
        });
        // In the clear, because the proxy looks for a statement.
        Self { url: format!("{user}@{address}/{name}?{in_the_clear}"), network }
    }

    pub fn lose_every(&self, nth: u64) {
        self.network.lose_every.store(nth, Ordering::SeqCst);
    }

    /// Falls silent, without closing anything, as soon as a transaction of the server's has locked rows: the database has
    /// answered, and the server does not hear it.
    pub fn fall_silent_at_lock(&self) {
        self.network.silent_at_lock.store(true, Ordering::SeqCst);
    }

    /// Carries nothing more for the present connections, without closing them; new ones work.
    pub fn abandon_connections(&self) {
        self.network.abandon_connections();
    }

    /// The same as soon as a connection asks for this SQL: the database executes it, and the answer is lost.
    pub fn abandon_connections_at(&self, sql: &'static [u8]) {
        *self.network.abandon_at.lock().expect("no panic") = Some(sql);
    }

    /// Waits until the connections have been abandoned.
    pub async fn abandoned(&self) {
        let mut abandoned = self.network.abandoned_before.subscribe();
        abandoned.wait_for(|before| *before > 0).await.expect("the proxy is there");
    }

    /// Connections that were opened so far.
    pub fn opened(&self) -> u64 {
        self.network.opened.load(Ordering::SeqCst)
    }

    /// Falls silent, without closing anything.
    pub fn fall_silent(&self) {
        self.network.silent.send_replace(true);
    }

    pub async fn silence(&self) {
        self.network.silent.subscribe().wait_for(|silent| *silent).await.expect("the proxy is there");
    }

    pub fn heal(&self) {
        self.network.silent_at_lock.store(false, Ordering::SeqCst);
        self.network.silent.send_replace(false);
    }
}

impl Network {
    fn abandon_connections(&self) {
        self.abandoned_before.send_replace(self.opened.load(Ordering::SeqCst));
    }

    /// Until one of the two closes, or an answer is lost.
    async fn carry(&self, client: TcpStream, server: TcpStream) {
        let (mut client, mut server) = (client.into_split(), server.into_split());
        let locking = Locking::default();
        let mut abandoned = self.abandoned_before.subscribe();
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        tokio::select! {
            () = self.carry_questions(&mut client.0, &mut server.1, &locking) => return,
            () = self.carry_answers(&mut server.0, &mut client.1, &locking) => return,
            _ = abandoned.wait_for(|before| number < *before) => {}
        }
        // Both ends stay open, and neither learns anything.
        std::future::pending::<()>().await;
    }

    async fn carry_questions(&self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, locking: &Locking) {
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut bytes).await {
            self.sound().await;
            locking.is_asked(&bytes[..length]);
            if to.write_all(&bytes[..length]).await.is_err() {
                return;
            }
            let mut abandon_at = self.abandon_at.lock().expect("no panic");
            if abandon_at.is_some_and(|sql| bytes[..length].windows(sql.len()).any(|window| window == sql)) {
                *abandon_at = None;
                self.abandon_connections();
            }
        }
    }

    async fn carry_answers(&self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, locking: &Locking) {
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut bytes).await {
            if locking.is_answered() && self.silent_at_lock.load(Ordering::SeqCst) {
                self.silent.send_replace(true);
            }
            self.sound().await;
            let nth = self.answers.fetch_add(1, Ordering::SeqCst) + 1;
            let lose_every = self.lose_every.load(Ordering::SeqCst);
            if lose_every > 0 && nth.is_multiple_of(lose_every) {
                return;
            }
            if to.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    }

    async fn sound(&self) {
        self.silent.subscribe().wait_for(|silent| !silent).await.expect("the network is there");
    }
}

/// How far a connection is with locking rows. The statement is sent to be parsed, and when that is answered, to be
/// executed; either may come in pieces.
#[derive(Default)]
struct Locking(AtomicU8);

const PARSING: u8 = 1;
const PARSED: u8 = 2;
const EXECUTING: u8 = 3;

impl Locking {
    fn is_asked(&self, question: &[u8]) {
        if question.windows(LOCKING.len()).any(|window| window == LOCKING) {
            self.0.store(PARSING, Ordering::SeqCst);
        } else {
            self.goes_on(PARSED, EXECUTING);
        }
    }

    /// Whether this is the answer that says that the rows are locked.
    fn is_answered(&self) -> bool {
        let is_locked = self.goes_on(EXECUTING, 0);
        self.goes_on(PARSING, PARSED);
        is_locked
    }

    fn goes_on(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}
