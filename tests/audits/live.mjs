// The clients of subscriptions, `graphql-ws` over WebSockets and `graphql-sse` over event streams, as their
// documentation shows them: events, completion, errors, what closes a socket, and a restart of the server.
//
//   CLOAKROOM_URL     the endpoint (http://127.0.0.1:8000/graphql)
//   CLOAKROOM_BINARY  a binary to start and stop for the restart (target/debug/cloakroom)

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';
import { freePort, start } from './server.mjs';

const given = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

const CURRENT = 'subscription Current { current }';
const NEXT = 'mutation Next { next { value } }';
const CREATE = 'mutation { createCounter(input: { name: "short" }) { userErrors { code } } }';
const DELETE = 'mutation { deleteCounter(input: { name: "short" }) { userErrors { code } } }';

/** Each client of a token, with what it makes of the end of the session. */
const clients = {
  'graphql-ws': {
    connect: (url, token, more = {}) => createWsClient({
      url: url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: token ? { authorization: `Bearer ${token}` } : undefined,
      retryAttempts: 50,
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
      shouldRetry: () => true,
      ...more,
    }),
    // A fatal code in 44xx is not tried again.
    ended: (outcome) => assert.equal(outcome.error?.code, 4403),
    wrongToken: (outcome) => assert.equal(outcome.error?.code, 4403),
    invalid: (outcome) => assert.equal(outcome.error?.[0]?.extensions.code, 'GRAPHQL_VALIDATION_FAILED'),
  },
  'graphql-sse': {
    connect: (url, token) => createSseClient({
      url,
      headers: token ? { authorization: `Bearer ${token}` } : {},
      retryAttempts: 50,
      retry: () => new Promise((resolve) => setTimeout(resolve, 100)),
    }),
    ended: (outcome) => {
      assert.equal(outcome.events.at(-1).errors?.[0].extensions.code, 'UNAUTHENTICATED');
      assert.equal(outcome.error, undefined);
    },
    wrongToken: (outcome) => assert.equal(outcome.error?.response?.status, 401),
    invalid: (outcome) => assert.equal(outcome.events[0].errors?.[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED'),
  },
};

for (const [name, kind] of Object.entries(clients)) {
  try {
    await useAsEverybodyDoes(kind);
    await outliveARestart(kind);
    console.log(`${name}: works`);
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exitCode = 1;
  }
}
try {
  await closeForCause();
  console.log('graphql-ws: closes for cause');
} catch (error) {
  console.error(`graphql-ws: ${error.stack}`);
  process.exitCode = 1;
}

async function useAsEverybodyDoes({ connect, ended, wrongToken, invalid }) {
  const token = await signUp(given);
  const client = connect(given, token);
  assert.deepEqual((await collect(client, NEXT)).events, [{ data: { next: { value: 1 } } }]);

  const watched = listen(client, CURRENT);
  assert.deepEqual(await watched.next(), { data: { current: 1 } });
  for (const value of [2, 3, 4]) {
    assert.deepEqual(await ask(given, NEXT, token), { next: { value } });
    assert.deepEqual(await watched.next(), { data: { current: value } });
  }
  watched.stop();
  await ask(given, NEXT, token);

  // The server completes it.
  await ask(given, CREATE, token);
  const short = listen(client, 'subscription { current(counter: "short") }');
  assert.deepEqual(await short.next(), { data: { current: 0 } });
  await ask(given, DELETE, token);
  assert.equal((await short.next()).errors[0].extensions.code, 'NOT_FOUND');
  assert.deepEqual(await short.end, {});

  invalid(await collect(client, 'subscription { nothing }'));
  const anonymous = await collect(connect(given), CURRENT);
  assert.equal(anonymous.events[0].errors[0].extensions.code, 'UNAUTHENTICATED');
  wrongToken(await collect(connect(given, 'nonsense'), CURRENT));

  const last = listen(client, CURRENT);
  assert.deepEqual(await last.next(), { data: { current: 5 } });
  await ask(given, 'mutation { logout { endedSessions } }', token);
  ended({ ...(await last.end), events: last.events });
  await client.dispose();
}

/** What was acknowledged while the server was gone, is the first that is seen. */
async function outliveARestart({ connect }) {
  const data = await mkdtemp(join(tmpdir(), 'cloakroom-live-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/graphql`;
  let server = await start(data, port);
  try {
    const token = await signUp(url);
    const client = connect(url, token);
    const watched = listen(client, CURRENT);
    assert.deepEqual(await watched.next(), { data: { current: 0 } });
    await ask(url, NEXT, token);
    assert.deepEqual(await watched.next(), { data: { current: 1 } });
    for (const [signal, value] of [['SIGTERM', 2], ['SIGKILL', 3]]) {
      server.kill(signal);
      await once(server, 'exit');
      server = await start(data, port);
      await ask(url, NEXT, token);
      while ((await watched.next()).data.current !== value);
    }
    watched.stop();
    await client.dispose();
  } finally {
    server.kill('SIGKILL');
    await rm(data, { recursive: true, force: true });
  }
}

/** The codes that this client itself can bring about. */
async function closeForCause() {
  const token = await signUp(given);
  const open = async () => {
    const socket = new WebSocket(given.replace('http', 'ws'), 'graphql-transport-ws');
    await once(socket, 'open');
    return socket;
  };
  const init = JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  const subscribe = JSON.stringify({ id: 'a', type: 'subscribe', payload: { query: CURRENT } });
  for (const [code, said] of [
    [4400, ['no JSON']], [4401, [subscribe]], [4409, [init, subscribe, subscribe]], [4429, [init, init]],
  ]) {
    const socket = await open();
    said.forEach((message) => socket.send(message));
    assert.equal((await once(socket, 'close'))[0], code);
  }
  // Its own keep-alive: the pings of the subprotocol are answered.
  let pongs = 0;
  const client = clients['graphql-ws'].connect(given, token, {
    keepAlive: 50, lazy: false, on: { pong: (received) => { pongs += received ? 1 : 0; } },
  });
  const watched = listen(client, CURRENT);
  await watched.next();
  while (pongs < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  watched.stop();
  await client.dispose();
}

/** A subscription whose events are taken one by one; `end` says how it ended. */
function listen(client, query) {
  const [events, waiting] = [[], []];
  let taken = 0;
  let over;
  const end = new Promise((resolve) => { over = resolve; });
  const wake = () => waiting.splice(0).forEach((resolve) => resolve());
  const finish = (outcome) => { over(outcome); wake(); };
  const stop = client.subscribe({ query }, {
    next: (event) => { events.push(event); wake(); },
    error: (error) => finish({ error }),
    complete: () => finish({}),
  });
  const next = async () => {
    const deadline = setTimeout(() => { throw new Error(`no event within 20 s: ${query}`); }, 20_000);
    while (events.length === taken) {
      await new Promise((resolve) => waiting.push(resolve));
      if (events.length === taken) assert.fail(`it ended: ${JSON.stringify(await end)}`);
    }
    clearTimeout(deadline);
    return events[taken++];
  };
  return { events, next, stop, end };
}

async function collect(client, query) {
  const listening = listen(client, query);
  return { ...(await listening.end), events: listening.events };
}

async function ask(url, query, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

async function signUp(url) {
  const input = `{ username: "live-${randomBytes(6).toString('hex')}", password: "correct horse battery" }`;
  return (await ask(url, `mutation { signUp(input: ${input}) { tokens { accessToken } } }`)).signUp.tokens.accessToken;
}
