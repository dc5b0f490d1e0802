// Real clients that stay signed in, each in the way that its own documentation recommends: they log in, refresh
// when the access token has ended, keep their tokens when a refresh is refused with RATE_LIMITED, and log out.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { Client, fetchExchange } from '@urql/core';
import { authExchange } from '@urql/exchange-auth';
import { ClientError, GraphQLClient } from 'graphql-request';
import { from, mergeMap } from 'rxjs';

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

const VIEWER = 'query Viewer { viewer { user { username } } }';
const SIGN_UP = 'mutation SignUp($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }';
const LOGIN = 'mutation Login($input: LoginInput!) { login(input: $input) { tokens { accessToken refreshToken } } }';
const LOGOUT = 'mutation Logout($input: LogoutInput) { logout(input: $input) { endedSessions } }';
const REFRESH = `mutation Refresh($input: RefreshTokensInput!) {
  refreshTokens(input: $input) { tokens { accessToken refreshToken } userErrors { code } }
}`;

/** The tokens of a session, and the one way to replace them. */
class Session {
  tokens = null;
  refreshes = 0;
  #refreshing = null;

  constructor(send = fetch) {
    this.send = send;
  }

  authorization() {
    return this.tokens ? { authorization: `Bearer ${this.tokens.accessToken}` } : {};
  }

  /**
   * Once, however many ask, and not again for those who hear late that the token before was refused. Throws what is no
   * reason to sign in again, and leaves the tokens as they are.
   */
  async refresh(refused = this.authorization().authorization) {
    if (refused !== this.authorization().authorization) return undefined;
    this.#refreshing ??= this.#replace().finally(() => { this.#refreshing = null; });
    return this.#refreshing;
  }

  async #replace() {
    this.refreshes += 1;
    const variables = { input: { refreshToken: this.tokens.refreshToken } };
    const body = JSON.stringify({ query: REFRESH, variables });
    const response = await this.send(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { data, errors } = await response.json();
    if (errors) throw Object.assign(new Error(errors[0].message), { codes: codes(errors) });
    this.tokens = data.refreshTokens.tokens;
    if (!this.tokens) throw Object.assign(new Error('The session has ended.'), { codes: ['UNAUTHENTICATED'] });
  }
}

/** Each runs an operation for a session: its `data`, or the `codes` of its refusal. */
const clients = {
  '@apollo/client': (session) => {
    const sign = new SetContextLink(({ headers }) => ({ headers: { ...headers, ...session.authorization() } }));
    const renew = new ErrorLink(({ error, operation, forward }) => {
      if (!apolloCodes(error).includes('UNAUTHENTICATED') || !session.tokens) return undefined;
      const refused = operation.getContext().headers?.authorization;
      return from(session.refresh(refused)).pipe(mergeMap(() => forward(operation)));
    });
    const link = ApolloLink.from([renew, sign, new HttpLink({ uri: url })]);
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    return async (text, variables) => {
      const document = gql(text);
      const options = { variables, fetchPolicy: 'no-cache' };
      try {
        const { data } = text.startsWith('query')
          ? await client.query({ query: document, ...options })
          : await client.mutate({ mutation: document, ...options });
        return { data };
      } catch (error) {
        return { codes: error.codes ?? apolloCodes(error) };
      }
    };
  },
  '@urql/core': (session) => {
    const auth = authExchange(async ({ appendHeaders }) => ({
      addAuthToOperation: (operation) => appendHeaders(operation, session.authorization()),
      didAuthError: (error) => session.tokens !== null && codes(error.graphQLErrors).includes('UNAUTHENTICATED'),
      // It sends the operation once more in any case: a refresh that failed shows there.
      refreshAuth: () => session.refresh().catch(() => {}),
    }));
    const client = new Client({ url, exchanges: [auth, fetchExchange], preferGetMethod: false });
    return async (text, variables = {}) => {
      const run = text.startsWith('query') ? client.query(text, variables) : client.mutation(text, variables);
      const { data, error } = await run.toPromise();
      return error ? { codes: codes(error.graphQLErrors) } : { data };
    };
  },
  'graphql-request': (session) => {
    const client = new GraphQLClient(url);
    const send = (text, variables) => client.request(text, variables, session.authorization());
    return async (text, variables) => {
      const { authorization } = session.authorization();
      try {
        try {
          return { data: await send(text, variables) };
        } catch (error) {
          if (!codes(error.response?.errors).includes('UNAUTHENTICATED') || !session.tokens) throw error;
          await session.refresh(authorization);
          return { data: await send(text, variables) };
        }
      } catch (error) {
        if (!(error instanceof ClientError) && !error.codes) throw error;
        return { codes: error.codes ?? codes(error.response.errors) };
      }
    };
  },
};

for (const [name, connect] of Object.entries(clients)) {
  try {
    await staySignedIn(connect);
    console.log(`${name}: stays signed in`);
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exitCode = 1;
  }
}

async function staySignedIn(connect) {
  let limited = false;
  const session = new Session((...request) => (limited ? tooMany() : fetch(...request)));
  const run = connect(session);
  const [username, password] = [`client-${randomBytes(6).toString('hex')}`, 'correct horse battery'];
  const me = { data: { viewer: { user: { username } } } };

  assert.deepEqual((await run(SIGN_UP, { input: { username, password } })).data.signUp.userErrors, []);
  session.tokens = (await run(LOGIN, { input: { identifier: username, password } })).data.login.tokens;
  assert.deepEqual(plain(await run(VIEWER)), me);

  const first = session.tokens;
  await run(LOGOUT, { input: { scope: 'ACCESS_TOKEN' } });
  limited = true;
  const { codes: refusal } = await run(VIEWER);
  assert.ok(['RATE_LIMITED', 'UNAUTHENTICATED'].includes(refusal?.[0]), `refused, not ${refusal}`);
  assert.equal(session.tokens, first, 'a rate limit drops no tokens');

  limited = false;
  session.refreshes = 0;
  assert.deepEqual(plain(await Promise.all([run(VIEWER), run(VIEWER)])), [me, me]);
  assert.equal(session.refreshes, 1);
  assert.notEqual(session.tokens.refreshToken, first.refreshToken);

  assert.equal((await run(LOGOUT)).data.logout.endedSessions, 1);
  assert.deepEqual(await run(VIEWER), { codes: ['UNAUTHENTICATED'] });
  assert.equal(session.tokens, null, 'an ended session does');
}

function tooMany() {
  const errors = [{ message: 'Too many requests.', extensions: { code: 'RATE_LIMITED' } }];
  return Response.json({ errors }, { status: 429, headers: { 'retry-after': '1' } });
}

function apolloCodes(error) {
  return CombinedGraphQLErrors.is(error) ? codes(error.errors) : [];
}

function codes(errors) {
  return errors?.map((error) => error.extensions?.code) ?? [];
}

/** Without what a client adds for its cache. */
function plain(value) {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === '__typename' ? undefined : inner)));
}
