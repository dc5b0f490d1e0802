// Watches a counter of Cloakroom in plain JavaScript, on Node's own `fetch`: sign up, watch, take numbers, see them
// arrive, log out. Copy from it what you need: the first half is the client, the second half uses it.
//
//   node examples/watch/main.js [URL]      URL, or CLOAKROOM_URL: http://127.0.0.1:8000/graphql

'use strict';
const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');

const url = process.argv[2] ?? process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';
// For the whole of this example. A program that watches for days sets none.
const signal = AbortSignal.timeout(30_000);

// --- The client -----------------------------------------------------------------------------------------------------

function send(accept, query, variables, token) {
  const headers = { 'Content-Type': 'application/json', Accept: accept };
  if (token) headers.Authorization = `Bearer ${token}`;
  return fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }), signal });
}

/** Returns the `data` of an answer; throws an error with the server's code and the `data` that there is. */
function dataOf({ data, errors }) {
  if (data && !errors) return data;
  const { message, extensions } = errors[0];
  throw Object.assign(new Error(`${extensions.code}: ${message}`), { code: extensions.code, data });
}

async function graphql(query, variables, token) {
  return dataOf(await (await send('application/json', query, variables, token)).json());
}

/** What a subscription has to say, as it comes, until the server ends it. */
async function* subscribe(query, variables, token) {
  const response = await send('text/event-stream', query, variables, token);
  if (!response.ok) dataOf(await response.json());
  for await (const { event, data } of events(response.body)) {
    if (event === 'next') yield dataOf(JSON.parse(data));
    if (event === 'complete') return;
  }
  // The first answer of the next connection is what the counter has become in the meantime: nothing is missed.
  throw new Error('The connection was lost: subscribe again.');
}

/** The events of a stream. What has no name says only that the server is still there. */
async function* events(body) {
  let text = '';
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + piece).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const [, event, data] = /^event: ?(\w+)\ndata:? ?(.*)$/.exec(block) ?? [];
      if (event) yield { event, data };
    }
  }
}

// --- Its use --------------------------------------------------------------------------------------------------------

const SIGN_UP = 'mutation SignUp($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }';
const LOGIN = `mutation Login($input: LoginInput!) {
  login(input: $input) { tokens { accessToken } userErrors { code } }
}`;

async function main() {
  const [username, password] = [`sample-${randomBytes(6).toString('hex')}`, randomBytes(12).toString('hex')];
  const { signUp } = await graphql(SIGN_UP, { input: { username, password } });
  assert.deepEqual(signUp.userErrors, []);
  const { login } = await graphql(LOGIN, { input: { identifier: username, password } });
  assert.deepEqual(login.userErrors, []);
  const token = login.tokens.accessToken;

  // With its id, a cache that is keyed by ids follows by itself.
  const watched = subscribe('subscription Watch { counter { id current } }', {}, token);
  let { current } = (await watched.next()).value.counter;
  console.log(`the counter is at: ${current}`);
  assert.equal(current, 0);

  const take = () => graphql('mutation Next { next { value } }', {}, token);
  const taken = (await Promise.all([take(), take(), take()])).map(({ next }) => next.value);
  console.log(`numbers taken: ${taken.sort((one, other) => one - other).join(', ')}`);
  // Those between may be left out. The newest always arrives.
  while (current < 3) ({ current } = (await watched.next()).value.counter);
  console.log(`the newest has arrived: ${current}`);
  assert.deepEqual([taken, current], [[1, 2, 3], 3]);

  // Whoever logs out sees nothing more.
  await graphql('mutation Logout { logout { endedSessions } }', {}, token);
  const end = await watched.next().catch((error) => error);
  console.log(`after the logout: ${end.message}`);
  assert.equal(end.code, 'UNAUTHENTICATED');
}

main().then(
  () => console.log('Every answer was as expected.'),
  (error) => {
    console.error(`${url}: ${error.cause?.message ?? error.message}`);
    process.exitCode = 1;
  },
);
