//! nginx, with one file to serve: as many workers as cores, `sendfile` on, no log.

use std::{net::SocketAddr, path::Path, process::Command, thread};

use anyhow::Context;

use super::leave;
use crate::server::{Ready, Server};

pub(super) const PATH: &str = "/thumbnail.jpg";

pub(super) async fn start(thumbnail: &[u8]) -> anyhow::Result<Server> {
    let workers = thread::available_parallelism()?;
    let mut left = Ok(());
    let command = |address: SocketAddr, directory: &Path| {
        let folder = directory.display();
        let settings = format!(
            "daemon off; master_process on; user root; worker_processes {workers}; error_log stderr; pid {folder}/pid;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; types {{ image/jpeg jpg; }}\n\
             open_file_cache max=100;\n\
             server {{ listen {address}; root {folder}; }} }}\n"
        );
        left = leave(directory, thumbnail).and_then(|()| Ok(std::fs::write(directory.join("nginx.conf"), settings)?));
        let mut command = Command::new("nginx");
        command.arg("-c").arg(directory.join("nginx.conf"));
        command
    };
    let server = Server::launch(command, Ready::Accepts).await.context("nginx: is it installed?")?;
    left?;
    Ok(server)
}
