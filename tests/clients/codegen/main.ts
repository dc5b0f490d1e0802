// The client preset of graphql-codegen: documents in `graphql()`, masked fragments, and a type for each of them.
// TypeScript checks this program in its strict mode, then Node runs it.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ResultOf, VariablesOf } from '@graphql-typed-document-node/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { ErrorCode, TypedDocumentString, UserErrorCode } from './generated/graphql.js';
import { type FragmentType, graphql, readFragment } from './generated/index.js';

const url = process.env['CLOAKROOM_URL'] ?? 'http://127.0.0.1:8000/graphql';

const SIGN_UP = graphql(`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) { user { id username createdAt } userErrors { code field message } }
  }
`);
const LOGIN = graphql(`
  mutation Login($input: LoginInput!) {
    login(input: $input) { tokens { accessToken expiresAt } userErrors { code } }
  }
`);
const NEXT = graphql(`
  mutation Next($input: NextInput) {
    next(input: $input) { value counter { ...CounterRow } }
  }
`);
const CREATE = graphql(`
  mutation Create($input: CreateCounterInput!) {
    createCounter(input: $input) { counter { ...CounterRow } userErrors { code } }
  }
`);
const COUNTER_ROW = graphql(`fragment CounterRow on Counter { id name current updatedAt }`);
const COUNTERS = graphql(`
  query Counters($first: Int!, $after: String) {
    viewer {
      role
      counters(first: $first, after: $after) {
        edges { node { ...CounterRow } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
`);
const WATCH = graphql(`subscription Watch { counter { ...CounterRow } }`);
// Selections of the types that implement Node, side by side.
const NODES = graphql(`
  query Nodes($ids: [ID!]!) {
    nodes(ids: $ids) {
      __typename
      id
      ... on User { username displayName }
      ... on Counter { name current }
      ... on Photo { state image(size: SMALL) { url byteSize } }
    }
  }
`);
const SERVER = graphql(`query Server { server { errorCodes limits { photoBytes } } }`);
// Sent as a multipart request: here its types are enough.
const UPLOAD = graphql(`
  mutation Upload($input: UploadPhotosInput!) {
    uploadPhotos(input: $input) { photos { id state } userErrors { code field } }
  }
`);

/** A document without required variables is called without any. */
type Arguments<V> = Record<string, never> extends V ? [variables?: V] : [variables: V];

class RequestError extends Error {
  constructor(readonly code: ErrorCode, message: string) {
    super(`${code}: ${message}`);
  }
}

type Answer<T> = { data?: T; errors?: { message: string; extensions: { code: ErrorCode } }[] };

let token: string | undefined;

async function execute<T, V>(document: TypedDocumentString<T, V>, ...[variables]: Arguments<V>): Promise<T> {
  const headers = new Headers({ 'Content-Type': 'application/json', Accept: 'application/graphql-response+json' });
  if (token) headers.set('Authorization', `Bearer ${token}`);
  const body = JSON.stringify({ query: document.toString(), variables });
  const response = await fetch(url, { method: 'POST', headers, body });
  const { data, errors } = await response.json() as Answer<T>;
  const error = errors?.[0];
  if (error) throw new RequestError(error.extensions.code, error.message);
  assert.ok(data);
  return data;
}

async function signIn(): Promise<void> {
  const username = `codegen-${randomBytes(6).toString('hex')}`;
  const password = 'correct horse battery';
  const { signUp } = await execute(SIGN_UP, { input: { username, password } });
  assert.equal(signUp?.user?.username, username);
  assert.ok(Date.parse(signUp.user.createdAt) > 0, 'a DateTime is a string that Date reads');

  const again = await execute(SIGN_UP, { input: { username, password: 'short' } });
  const codes = again.signUp?.userErrors.map(({ code }) => code);
  assert.deepEqual(codes, ['TOO_SHORT'] satisfies UserErrorCode[]);

  const { login } = await execute(LOGIN, { input: { identifier: username, password } });
  token = login?.tokens?.accessToken ?? assert.fail('no tokens');
}

async function takeNumbers(): Promise<void> {
  const first = await execute(NEXT);
  const range = await execute(NEXT, { input: { count: 4 } });
  assert.deepEqual([first.next?.value, range.next?.value], [1, 5]);
  assert.equal(readFragment(COUNTER_ROW, range.next?.counter)?.current, 5);

  const failure = await execute(NEXT, { input: { counter: 'none' } }).catch((error: unknown) => error);
  assert.ok(failure instanceof RequestError);
  assert.equal(failure.code, 'NOT_FOUND' satisfies ErrorCode);
}

/** Reads what the fragment masks, as a component does. */
function label(row: FragmentType<typeof COUNTER_ROW>): string {
  const { name, current } = readFragment(COUNTER_ROW, row);
  return `${name} ${current.toFixed()}`;
}

async function readPages(): Promise<string> {
  for (const name of ['a', 'b', 'c']) {
    const { createCounter } = await execute(CREATE, { input: { name, start: 10 } });
    assert.deepEqual(createCounter?.userErrors, []);
  }
  const pages: string[][] = [];
  const ids: string[] = [];
  let after: string | null = null;
  do {
    const variables: VariablesOf<typeof COUNTERS> = { first: 2, after };
    const connection = (await execute(COUNTERS, variables)).viewer?.counters ?? assert.fail('no viewer');
    pages.push(connection.edges.map(({ node }) => label(node)));
    ids.push(...connection.edges.map(({ node }) => readFragment(COUNTER_ROW, node).id));
    after = connection.pageInfo.hasNextPage ? connection.pageInfo.endCursor ?? assert.fail('no cursor') : null;
  } while (after !== null);
  assert.deepEqual(pages, [['a 10', 'b 10'], ['c 10', 'default 5']]);
  return ids[3] ?? assert.fail('four counters');
}

async function readNode(id: string): Promise<void> {
  const { nodes } = await execute(NODES, { ids: [id] });
  const node = nodes?.[0];
  // The union of the types is told apart by `__typename`.
  assert.ok(node?.__typename === 'Counter');
  assert.deepEqual([node.id, node.name, node.current], [id, 'default', 5]);
}

async function watch(): Promise<void> {
  const client = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
  });
  const events = client.iterate<ResultOf<typeof WATCH>>({ query: WATCH.toString() });
  const seen: (number | undefined)[] = [];
  for await (const { data, errors } of events) {
    assert.equal(errors, undefined);
    seen.push(readFragment(COUNTER_ROW, data?.counter)?.current);
    if (seen.length === 3) break;
    await execute(NEXT);
  }
  assert.deepEqual(seen, [5, 6, 7]);
  await client.dispose();
}

async function readErrorCodes(): Promise<void> {
  const { server } = await execute(SERVER);
  assert.ok(server.errorCodes.includes('UNAUTHENTICATED'));
  assert.ok(Number.isSafeInteger(server.limits.photoBytes));
}

/** Is not called: an upload's file is a `File`, and what is no file does not compile. */
export function upload(file: File): Promise<unknown> {
  // @ts-expect-error An upload takes a file.
  void execute(UPLOAD, { input: { photos: [{ file: 'a.jpg' }] } });
  // @ts-expect-error A field that the fragment masks.
  void execute(NEXT).then(({ next }) => next?.counter.current);
  return execute(UPLOAD, { input: { photos: [{ file, caption: null }] } });
}

await signIn();
await takeNumbers();
await readNode(await readPages());
await watch();
await readErrorCodes();
console.log('graphql-codegen: the generated types hold');
