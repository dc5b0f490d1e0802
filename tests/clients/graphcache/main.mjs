// urql with Graphcache: the normalized cache follows the live counter without an updater. It has the schema of the
// running server, and the `keys` that the README names; a warning of Graphcache is a failure.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { introspect } from '../introspect.mjs';

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

const SIGN_UP = gql`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) { user { id username } tokens { accessToken refreshToken } userErrors { code field } }
  }
`;
const COUNTER = gql`query Counter { viewer { id counter { id current } } }`;
const WATCH = gql`subscription Watch { counter(name: "default") { id current } }`;
const NEXT = gql`mutation Next { next { value counter { id current } } }`;
const CREATE = gql`
  mutation Create($input: CreateCounterInput!) {
    createCounter(input: $input) { counter { id name current } userErrors { code } }
  }
`;
const COUNTERS = gql`
  query Counters($first: Int!, $after: String) {
    viewer {
      id
      counters(first: $first, after: $after) {
        edges { cursor node { id name current } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`;
// Every object type that a query can reach, selected once.
const EVERYTHING = gql`
  query Everything {
    server { version time errorCodes limits { pageSize photoBytes } }
    viewer {
      id
      role
      emailVerifiedAt
      user { id username email }
      storage { quotaBytes usedBytes }
      session { id isCurrent }
      sessions { id userAgent }
      apiKeys { id name counter { id name } }
      counter { id name max }
      events(first: 5) { nodes { id kind actor } pageInfo { hasNextPage } }
      photos(first: 1) { nodes { id image(size: SMALL) { url width } author { id } } totalCount }
    }
    photos(first: 1) { nodes { id image { url } } pageInfo { endCursor } }
    users(first: 1) { edges { node { id username } } }
  }
`;
// Neither field is in the cache. `emailVerifiedAt` may be null; `step` may not, so its counter is null instead.
const STEP = gql`query Step { viewer { id counter { id current step } } }`;
const NULLABLE = gql`query Nullable { viewer { id emailVerifiedAt counter { id current } } }`;

// As the README says.
const keys = { Server: () => null, Limits: () => null, StorageUse: () => null, Image: () => null };

let token;
const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});

const sockets = createClient({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: headers });

function connect(options) {
  const warnings = [];
  const logger = (severity, message) => severity !== 'debug' && warnings.push(message);
  const cache = cacheExchange({ ...options, logger });
  const live = subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({
      subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ query, variables }, sink) }),
    }),
  });
  const client = new Client({
    url, preferGetMethod: false, exchanges: [cache, fetchExchange, live], fetchOptions: () => ({ headers: headers() }),
  });
  return { client, warnings };
}

/** Sends an operation past every cache. */
async function send(query, variables) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers() },
    body: JSON.stringify({ query, variables }),
  });
  return dataOf(await response.json());
}

function dataOf({ data, error, errors = error }) {
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

async function signUp(client) {
  const input = { username: `graphcache-${randomBytes(6).toString('hex')}`, password: 'correct horse battery' };
  const { signUp: { tokens, userErrors } } = dataOf(await client.mutation(SIGN_UP, { input }).toPromise());
  assert.deepEqual(userErrors, []);
  token = tokens.accessToken;
}

/** A photo, so that there is an image. */
async function upload() {
  const query = 'mutation($file: Upload!) { uploadPhotos(input: { photos: [{ file: $file }] }) { userErrors { code } } }';
  const form = new FormData();
  form.set('operations', JSON.stringify({ query, variables: { file: null } }));
  form.set('map', JSON.stringify({ 0: ['variables.file'] }));
  form.set('0', new Blob([await readFile(new URL('../../../playground/screenshot.png', import.meta.url))]));
  const response = await fetch(url, { method: 'POST', headers: headers(), body: form });
  assert.deepEqual(dataOf(await response.json()).uploadPhotos.userErrors, []);
}

/** The results of a query that is kept open, as a component keeps it. */
function observe(client, query, variables, context) {
  const results = [];
  let wake = () => {};
  const { unsubscribe } = client.query(query, variables, context).subscribe((result) => { results.push(result); wake(); });
  /** The first result, of those that have come and those to come, that has this. */
  const until = async (holds) => {
    for (let read = 0; ; read += 1) {
      while (read === results.length) await new Promise((resolve) => { wake = resolve; });
      dataOf(results[read]);
      if (holds(results[read])) return results[read];
    }
  };
  return { results, until, unsubscribe };
}

/** Numbers that are taken past the cache reach an open query, because the subscription returns the counter. */
async function followTheCounter(client) {
  const counter = observe(client, COUNTER, {});
  await counter.until(({ data }) => data.viewer.counter.current === 0);
  const watched = client.subscription(WATCH, {}).subscribe(dataOf);
  for (const value of [1, 2, 3]) {
    assert.equal((await send('mutation { next { value } }')).next.value, value);
    await counter.until(({ data }) => data.viewer.counter.current === value);
  }
  watched.unsubscribe();

  // A mutation that returns the counter does the same.
  dataOf(await client.mutation(NEXT, {}).toPromise());
  await counter.until(({ data }) => data.viewer.counter.current === 4);
  counter.unsubscribe();
}

/** With the schema, the cache knows which fields may be null, and answers with what it has until the server does. */
async function answerFromTheSchema(client) {
  const nullable = observe(client, NULLABLE, {});
  const { viewer } = (await nullable.until(({ stale }) => stale)).data;
  assert.deepEqual([viewer.emailVerifiedAt, viewer.counter.current], [null, 4]);
  await nullable.until(({ stale }) => !stale);
  nullable.unsubscribe();

  const step = observe(client, STEP, {});
  assert.equal((await step.until(({ stale }) => stale)).data.viewer.counter, null);
  assert.equal((await step.until(({ stale }) => !stale)).data.viewer.counter.step, 1);
  step.unsubscribe();
}

/** `relayPagination` joins the pages of a connection. */
async function joinPages(client) {
  for (const name of ['a', 'b', 'c']) {
    const { createCounter } = dataOf(await client.mutation(CREATE, { input: { name } }).toPromise());
    assert.deepEqual(createCounter.userErrors, []);
  }
  let after = null;
  for (const names of [['a', 'b'], ['a', 'b', 'c', 'default']]) {
    const { viewer: { counters } } = dataOf(await client.query(COUNTERS, { first: 2, after }).toPromise());
    assert.deepEqual(counters.edges.map(({ node }) => node.name), names);
    assert.equal(counters.pageInfo.hasNextPage, names.length < 4);
    after = counters.pageInfo.endCursor;
  }
}

async function useGraphcache() {
  const schema = await introspect();
  const resolvers = { Viewer: { counters: relayPagination() } };
  const { client, warnings } = connect({ schema, keys, resolvers });
  await signUp(client);
  await upload();
  await followTheCounter(client);
  await answerFromTheSchema(client);
  await joinPages(client);
  const { viewer } = dataOf(await client.query(EVERYTHING, {}).toPromise());
  assert.equal(viewer.photos.nodes[0].image.width, 320);
  assert.deepEqual(warnings, []);

  assert.deepEqual(keyless(schema).sort(), Object.keys(keys).sort(), 'name these types in the README, and here');
}

/** The types without an id that a query reaches. Graphcache itself expects none of connections, edges and `PageInfo`. */
function keyless({ __schema: { types } }) {
  const objects = new Map(types.filter(({ kind }) => kind === 'OBJECT').map((type) => [type.name, type]));
  const named = (type) => (type.ofType ? named(type.ofType) : type.name);
  const reached = new Set(['Query']);
  for (const name of reached) {
    for (const { type } of objects.get(name).fields) if (objects.has(named(type))) reached.add(named(type));
  }
  return [...reached].filter((name) => !(
    /^(Query|PageInfo)$|(Connection|Edge)$/.test(name) || objects.get(name).fields.some((field) => field.name === 'id')
  ));
}

try {
  await useGraphcache();
  console.log('urql with Graphcache: the cache follows the live counter, without a warning');
} catch (error) {
  console.error('urql with Graphcache:', error);
  process.exitCode = 1;
} finally {
  await sockets.dispose();
}
