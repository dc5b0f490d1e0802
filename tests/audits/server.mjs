// A server of an audit's own.
//
//   CLOAKROOM_BINARY  the binary (target/debug/cloakroom)

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const binary = process.env.CLOAKROOM_BINARY ?? fileURLToPath(new URL('../../target/debug/cloakroom', import.meta.url));

/** Starts a server with its data in this folder and waits until it is ready. */
export async function start(data, port, settings = {}) {
  const args = ['--data-dir', data, '--listen', `127.0.0.1:${port}`, '--migrate'];
  const server = spawn(binary, args, { stdio: 'ignore', env: { ...process.env, ...settings } });
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (ready?.ok) return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${binary} does not start`);
}

/** A TCP port that nobody listens on. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
