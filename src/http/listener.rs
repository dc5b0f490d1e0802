//! The sockets that the server accepts connections on.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use anyhow::{Context as _, bail, ensure};
use tokio::net::{TcpListener, UnixListener, UnixStream, lookup_host};

use crate::config::{Listen, ListenHost, SocketMode};
use crate::http::origin::Peer;
use crate::http::stream::Stream;

/// The peer of a Unix domain socket. It has no address, and only this machine reaches it: it counts as a peer on the
/// loopback interface, in limits and as a proxy.
const LOCAL_PEER: Peer = Peer(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0));

/// Sockets that accept connections, one at least.
pub struct Listeners {
    sockets: Vec<Socket>,
    listen: Listen,
}

enum Socket {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: SocketFile },
}

/// The file of a Unix domain socket; removed when dropped, unless another server has replaced it.
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Listeners {
    /// Listens on an address; `mode` has the permissions of a Unix domain socket.
    ///
    /// # Errors
    /// An address that does not exist, is in use, or may not be used.
    pub async fn bind(listen: &Listen, mode: SocketMode) -> anyhow::Result<Self> {
        let bound = match listen {
            Listen::Tcp { host, port } => bind_tcp(host, *port).await,
            Listen::Unix(path) => bind_unix(path, mode).await.map(|socket| (vec![socket], listen.clone())),
        };
        let (sockets, listen) = bound.with_context(|| format!("cannot listen on {listen}"))?;
        Ok(Self { sockets, listen })
    }

    /// The address, with the port that was taken for port 0.
    #[must_use]
    pub fn listen(&self) -> &Listen {
        &self.listen
    }

    /// The next connection to any of the sockets.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        poll_fn(|context| {
            let mut polls = self.sockets.iter().map(|socket| socket.poll_accept(context));
            polls.find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let listen = Listen::Tcp { host: ListenHost::Address(address.ip()), port: address.port() };
        Self { sockets: vec![Socket::Tcp(listener)], listen }
    }
}

impl Socket {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        match self {
            Self::Tcp(listener) => {
                listener.poll_accept(context).map_ok(|(stream, peer)| (Stream::Tcp(stream), Peer(peer)))
            }
            Self::Unix { listener, .. } => {
                listener.poll_accept(context).map_ok(|(stream, _)| (Stream::Unix(stream), LOCAL_PEER))
            }
        }
    }
}

/// Binds every address of the host, on one port.
async fn bind_tcp(host: &ListenHost, port: u16) -> anyhow::Result<(Vec<Socket>, Listen)> {
    if *host == ListenHost::All {
        // With IPv4 addresses mapped to IPv6, unless the machine has no IPv6.
        let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Err(error) if is_absent(&error) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
            bound => bound,
        }?;
        let listen = Listen::Tcp { host: ListenHost::All, port: listener.local_addr()?.port() };
        return Ok((vec![Socket::Tcp(listener)], listen));
    }
    let addresses: Vec<SocketAddr> = match host {
        ListenHost::Name(name) => resolve(name, port).await?,
        ListenHost::Address(address) => vec![SocketAddr::new(*address, port)],
        ListenHost::All => Vec::new(),
    };
    let (mut sockets, mut taken, mut absent) = (Vec::new(), port, None);
    for mut address in addresses {
        address.set_port(taken);
        match TcpListener::bind(address).await {
            Ok(listener) => {
                taken = listener.local_addr()?.port();
                sockets.push(Socket::Tcp(listener));
            }
            // Names such as `localhost` may have an IPv6 address on a machine without IPv6.
            Err(error) if is_absent(&error) => absent = Some(error),
            Err(error) => return Err(error).with_context(|| format!("the address {address}")),
        }
    }
    match absent {
        Some(error) if sockets.is_empty() => Err(error.into()),
        _ if sockets.is_empty() => bail!("the name has no address"),
        _ => Ok((sockets, Listen::Tcp { host: host.clone(), port: taken })),
    }
}

/// The addresses of a name, each once.
async fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = lookup_host((name, port)).await?.collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

/// Returns true if the machine has no such address, or no addresses of this family.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// Binds a socket beside the path and moves it there: it never has other permissions under its name, and replaces the file
/// of a server that was killed in one step.
async fn bind_unix(path: &Path, SocketMode(mode): SocketMode) -> anyhow::Result<Socket> {
    if let Ok(existing) = fs::symlink_metadata(path) {
        ensure!(existing.file_type().is_socket(), "the file exists and is not a socket");
        let is_served = UnixStream::connect(path).await;
        ensure!(is_served.is_err_and(|error| is_stale(&error)), "another server is listening on it");
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    // Of a process that had the same id.
    drop(fs::remove_file(&unfinished));
    let listener = UnixListener::bind(&unfinished)?;
    let moved = fs::set_permissions(&unfinished, fs::Permissions::from_mode(mode))
        .and_then(|()| fs::symlink_metadata(&unfinished))
        .and_then(|metadata| fs::rename(&unfinished, path).map(|()| metadata));
    match moved {
        Ok(metadata) => {
            let file = SocketFile { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() };
            Ok(Socket::Unix { listener, _file: file })
        }
        Err(error) => {
            drop(fs::remove_file(&unfinished));
            Err(error.into())
        }
    }
}

/// Returns true if nobody listens on a socket whose connection failed with this error.
fn is_stale(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_own = |metadata: fs::Metadata| (metadata.dev(), metadata.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(is_own)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "failed to remove the socket");
        }
    }
}
