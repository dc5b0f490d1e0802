// A normalized cache follows the schema without a policy, a key or an updater: Apollo Client with
// its InMemoryCache and GraphQLWsLink, as their documentation shows them.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

const SIGN_UP = gql`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) { user { id } tokens { accessToken } userErrors { code } }
  }
`;
const COUNTER = gql`query Counter { viewer { id role counter { id current } } }`;
const PROFILE = gql`query Profile { viewer { id user { id displayName } } }`;
const WATCH = gql`subscription Watch { counter { id current } }`;
const NEXT = gql`mutation Next { next { value } }`;

/** Apollo warns where it loses data: "Cache data may be lost when replacing the viewer field". */
const warnings = [];
console.warn = (...words) => warnings.push(words.join(' '));
console.error = console.warn;

let token;
const sockets = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: () => ({ Authorization: `Bearer ${token}` }),
});
const http = new SetContextLink(({ headers }) => ({
  headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers,
})).concat(new HttpLink({ uri: url }));
const isLive = ({ operationType }) => operationType === 'subscription';
const client = new ApolloClient({
  link: ApolloLink.split(isLive, new GraphQLWsLink(sockets), http),
  cache: new InMemoryCache(),
});

async function followACounter() {
  const username = `cache-${randomBytes(6).toString('hex')}`;
  const input = { username, password: 'correct horse battery', displayName: 'Anna' };
  const { signUp } = (await client.mutate({ mutation: SIGN_UP, variables: { input } })).data;
  assert.deepEqual(signUp.userErrors, []);
  token = signUp.tokens.accessToken;

  const cached = () => client.readQuery({ query: COUNTER })?.viewer;
  await client.query({ query: COUNTER });
  assert.equal(cached().counter.current, 0);

  const watched = client.subscribe({ query: WATCH }).subscribe({ next() {} });
  const elsewhere = new ApolloClient({ link: http, cache: new InMemoryCache() });
  for (const value of [1, 2, 3]) {
    assert.equal((await elsewhere.mutate({ mutation: NEXT })).data.next.value, value);
    await until(() => cached().counter.current === value, `the cached counter is at ${value}`);
  }
  watched.unsubscribe();

  // Another selection of the viewer is merged with the first.
  const { data } = await client.query({ query: PROFILE });
  assert.deepEqual([data.viewer.user.displayName, data.viewer.id], ['Anna', cached().id]);
  assert.notEqual(data.viewer.id, data.viewer.user.id, 'two objects have two ids');
  const { role, counter } = cached();
  assert.deepEqual([role, counter.current], ['USER', 3], 'the first query is still complete');
  assert.deepEqual(warnings, []);
}

/** Waits for something that comes over the socket. */
async function until(holds, what) {
  for (let attempt = 0; attempt < 2400; attempt += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never: ${what}`);
}

try {
  await followACounter();
  console.log('Apollo Client: the cache follows the live counter');
} catch (error) {
  process.stderr.write(`Apollo Client, cache: ${error.stack}\n`);
  process.exitCode = 1;
} finally {
  await sockets.dispose();
  client.stop();
}
