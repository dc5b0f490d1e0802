//! TCP keepalive and user timeout for the connections to a database server.
//!
//! sqlx opens its sockets itself and offers no way to reach them, so they are looked up among the
//! open files of this process. Without the options, Linux notices the loss of an idle peer never, and
//! of one that owes an acknowledgment after a quarter of an hour.

#[cfg(target_os = "linux")]
pub(super) use linux::set_keepalive;

#[cfg(not(target_os = "linux"))]
pub(super) async fn set_keepalive(_port: u16) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::RawFd;
    use std::time::Duration;

    use anyhow::Context as _;
    use rustix::net::sockopt;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    use crate::error::one_line;

    /// Idle time before the first probe.
    const IDLE: Duration = Duration::from_secs(10);
    /// Time between probes that are not answered, and their number.
    const INTERVAL: Duration = Duration::from_secs(5);
    const PROBES: u32 = 3;
    /// Milliseconds that sent data may wait for an acknowledgment.
    const USER_TIMEOUT: u32 = 25_000;

    /// Sets the options of every socket of this process that is connected to `port`. A platform that
    /// forbids it is no reason to fail: every statement has a time limit as well.
    pub(crate) async fn set_keepalive(port: u16) {
        let set = tokio::task::spawn_blocking(move || set_on_sockets(port)).await;
        if let Ok(Err(error)) = set {
            tracing::debug!(error = one_line(error.as_ref()), "TCP keepalive of a database connection was not set");
        }
    }

    fn set_on_sockets(port: u16) -> anyhow::Result<()> {
        let process = pidfd_open(getpid(), PidfdFlags::empty()).context("pidfd_open")?;
        for entry in std::fs::read_dir("/proc/self/fd")? {
            let entry = entry?;
            let is_socket = std::fs::read_link(entry.path())
                .is_ok_and(|target| target.to_str().is_some_and(|target| target.starts_with("socket:")));
            let Some(fd) = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()) else { continue };
            if !is_socket {
                continue;
            }
            // A file that was closed in the meantime is none of ours.
            let Ok(socket) = pidfd_getfd(&process, fd, PidfdGetfdFlags::empty()) else { continue };
            let peer = rustix::net::getpeername(&socket).ok().flatten();
            let peer = peer.and_then(|address| std::net::SocketAddr::try_from(address).ok());
            if peer.is_none_or(|peer| peer.port() != port) || sockopt::socket_keepalive(&socket).unwrap_or(true) {
                continue;
            }
            sockopt::set_tcp_keepidle(&socket, IDLE)?;
            sockopt::set_tcp_keepintvl(&socket, INTERVAL)?;
            sockopt::set_tcp_keepcnt(&socket, PROBES)?;
            sockopt::set_tcp_user_timeout(&socket, USER_TIMEOUT)?;
            sockopt::set_socket_keepalive(&socket, true)?;
        }
        Ok(())
    }
}
