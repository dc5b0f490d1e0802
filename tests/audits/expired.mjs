// Clients whose access token has expired, each set up as its documentation shows: every request carries the token, the
// refresh too, and the person stays signed in. On a server of this audit's own, whose tokens last for ten seconds.
//
//   CLOAKROOM_BINARY  the binary (target/debug/cloakroom)

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { cacheExchange, createClient, fetchExchange } from '@urql/core';
import { authExchange } from '@urql/exchange-auth';
import { from, mergeMap } from 'rxjs';
import { freePort, start } from './server.mjs';

const HELLO = 'query Hello { hello }';
const VIEWER = 'query Viewer { viewer { user { username } } }';
const CURRENT = 'query Current { current }';
const NEXT = 'mutation Next { next { value } }';
const SIGN_UP = `mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) { tokens { accessToken refreshToken } userErrors { code } }
}`;
const LOGIN = 'mutation Login($input: LoginInput!) { login(input: $input) { tokens { accessToken refreshToken } } }';
const LOGOUT = 'mutation Logout($input: LogoutInput) { logout(input: $input) { endedSessions } }';
const REFRESH = `mutation Refresh($refreshToken: String!) {
  refreshTokens(input: { refreshToken: $refreshToken }) { tokens { accessToken refreshToken } userErrors { code } }
}`;
const password = 'correct horse battery';

/** As in a browser. */
class Storage extends Map {
  getItem(name) { return this.get(name) ?? null; }
  setItem(name, value) { this.set(name, value); }
}

/** Each client of what is stored, which calls `logout` when it has lost its session. */
const clients = {
  // The README of @urql/exchange-auth, but for the names of this server's schema and of its error code.
  '@urql/exchange-auth': (url, localStorage, logout) => {
    const client = createClient({
      url,
      preferGetMethod: 'within-url-limit',
      exchanges: [
        cacheExchange,
        authExchange(async utils => {
          // called on initial launch,
          // fetch the auth state from storage (local storage, async storage etc)
          let token = localStorage.getItem('token');
          let refreshToken = localStorage.getItem('refreshToken');

          return {
            addAuthToOperation(operation) {
              if (token) {
                return utils.appendHeaders(operation, {
                  Authorization: `Bearer ${token}`,
                });
              }
              return operation;
            },
            willAuthError(_operation) {
              // e.g. check for expiration, existence of auth etc
              return !token;
            },
            didAuthError(error, _operation) {
              // check if the error was an auth error
              // this can be implemented in various ways, e.g. 401 or a special error code
              return error.graphQLErrors.some(e => e.extensions?.code === 'UNAUTHENTICATED');
            },
            async refreshAuth() {
              // called when auth error has occurred
              // we should refresh the token with a GraphQL mutation or a fetch call,
              // depending on what the API supports
              const result = await utils.mutate(REFRESH, {
                refreshToken,
              });

              if (result.data?.refreshTokens?.tokens) {
                // save the new tokens in storage for next restart
                token = result.data.refreshTokens.tokens.accessToken;
                refreshToken = result.data.refreshTokens.tokens.refreshToken;
                localStorage.setItem('token', token);
                localStorage.setItem('refreshToken', refreshToken);
              } else {
                // otherwise, if refresh fails, log clear storage and log out
                localStorage.clear();
                logout();
              }
            },
          };
        }),
        fetchExchange,
      ],
    });
    return async (text, variables = {}) => {
      const context = { requestPolicy: 'network-only' };
      const run = text.startsWith('query') ? client.query(text, variables, context) : client.mutation(text, variables);
      const { data, error } = await run.toPromise();
      if (error) throw error;
      return data;
    };
  },
  // Apollo's guides to authentication and to error handling: the refresh is a mutation like any other, and its link adds
  // the token to that, too.
  '@apollo/client': (url, localStorage, logout) => {
    let refreshing = null;
    const refresh = async () => {
      const variables = { refreshToken: localStorage.getItem('refreshToken') };
      const { data } = await client.mutate({ mutation: gql(REFRESH), variables, fetchPolicy: 'no-cache' });
      const tokens = data?.refreshTokens?.tokens;
      if (!tokens) throw new Error('The session has ended.');
      localStorage.setItem('token', tokens.accessToken);
      localStorage.setItem('refreshToken', tokens.refreshToken);
    };
    const authLink = new SetContextLink(({ headers }) => {
      const token = localStorage.getItem('token');
      return { headers: { ...headers, authorization: token ? `Bearer ${token}` : '' } };
    });
    const errorLink = new ErrorLink(({ error, operation, forward }) => {
      const isAuthError = CombinedGraphQLErrors.is(error)
        && error.errors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED');
      if (!isAuthError) return undefined;
      refreshing ??= refresh().catch((cause) => { logout(); throw cause; }).finally(() => { refreshing = null; });
      return from(refreshing).pipe(mergeMap(() => forward(operation)));
    });
    const link = ApolloLink.from([errorLink, authLink, new HttpLink({ uri: url })]);
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    return async (text, variables) => {
      const options = { variables, fetchPolicy: 'no-cache' };
      const { data } = text.startsWith('query')
        ? await client.query({ query: gql(text), ...options })
        : await client.mutate({ mutation: gql(text), ...options });
      return data;
    };
  },
};

const data = await mkdtemp(join(tmpdir(), 'cloakroom-expired-'));
const port = await freePort();
const url = `http://127.0.0.1:${port}/graphql`;
const settings = { CLOAKROOM__ACCOUNTS__ACCESS_TOKEN_SECONDS: '10', CLOAKROOM__ACCOUNTS__TOKEN_LEEWAY_SECONDS: '0' };
const server = await start(data, port, settings);
try {
  // At the same time, because each waits for its tokens to expire.
  await Promise.all(Object.entries(clients).map(async ([name, connect]) => {
    try {
      await outliveTokens(name, connect);
      console.log(`${name}: refreshes an expired token and stays signed in`);
    } catch (error) {
      console.error(`${name}: ${error.stack}`);
      process.exitCode = 1;
    }
  }));
} finally {
  server.kill('SIGKILL');
  await rm(data, { recursive: true, force: true });
}

async function outliveTokens(name, connect) {
  const username = name.replace(/[^a-z]/g, '');
  const localStorage = new Storage();
  const store = ({ accessToken, refreshToken }) => {
    localStorage.setItem('token', accessToken);
    localStorage.setItem('refreshToken', refreshToken);
  };
  let logouts = 0;
  const launch = () => connect(url, localStorage, () => { logouts += 1; });
  store((await ask(SIGN_UP, { input: { username, password } })).signUp.tokens);

  // An open page: queries and mutations at once, of which the first to fail refreshes for all of them.
  const run = launch();
  assert.equal((await run(VIEWER)).viewer.user.username, username);
  const first = localStorage.getItem('token');
  await expiry(first);
  const [viewer, current, next] = await Promise.all([run(VIEWER), run(CURRENT), run(NEXT)]);
  assert.equal(viewer.viewer.user.username, username);
  assert.deepEqual([typeof current.current, next.next.value], ['number', 1], 'the mutation ran once');
  assert.notEqual(localStorage.getItem('token'), first);
  assert.equal(logouts, 0);

  // A page that is opened again after its token has expired.
  await expiry(localStorage.getItem('token'));
  const again = launch();
  assert.equal(typeof (await again(HELLO)).hello, 'string', 'a field that needs nobody');
  assert.equal((await again(VIEWER)).viewer.user.username, username);
  assert.equal(logouts, 0);

  // With an expired token one can sign in again, and out with the refresh token alone.
  await expiry(localStorage.getItem('token'));
  const stale = launch();
  const { login } = await stale(LOGIN, { input: { identifier: username, password } });
  assert.equal(typeof login.tokens.accessToken, 'string');
  const { logout } = await stale(LOGOUT, { input: { refreshToken: localStorage.getItem('refreshToken') } });
  assert.equal(logout.endedSessions, 1);
  assert.equal(logouts, 0);
}

/** Waits until the server refuses this token. */
async function expiry(token) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: CURRENT }) });
    if (response.status === 401) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail('the token does not expire');
}

async function ask(query, variables) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  return (await response.json()).data;
}
