// Real clients against a running server: a query, a sign-up, numbers with the token, and each kind of error.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError, gql } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { ClientError, GraphQLClient } from 'graphql-request';

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

const HELLO = 'query Hello { hello }';
const CURRENT = 'query Current { current }';
const VIEWER = 'query Viewer { viewer { user { username } counter { current } } }';
const NEXT = 'mutation Next { next { value } }';
const NEXT_AND_FAIL = `mutation NextAndFail {
  taken: next { value }
  failed: next(input: { counter: "none" }) { value }
}`;
const WRONG = 'query Wrong { nothing }';
const SIGN_UP = `mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) { user { id username } tokens { accessToken } userErrors { code field message } }
}`;

/** The outcome of an operation in each client: `data`, `codes` of errors, or the HTTP `status` of a refusal. */
const clients = {
  '@apollo/client': (token) => {
    const link = new HttpLink({ uri: url, headers: bearer(token) });
    // By default, Apollo Client discards the data of a response with errors.
    const options = { errorPolicy: 'all' };
    const defaultOptions = { query: options, mutate: options };
    const client = new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions });
    return async (text, variables) => {
      const document = gql(text);
      try {
        const { data, error } = text.startsWith('query')
          ? await client.query({ query: document, variables, fetchPolicy: 'network-only' })
          : await client.mutate({ mutation: document, variables });
        if (error && !CombinedGraphQLErrors.is(error)) throw error;
        return outcome(data, error?.errors);
      } catch (error) {
        if (ServerError.is(error)) return { status: error.statusCode };
        throw error;
      }
    };
  },
  '@urql/core': (token) => {
    const client = new Client({
      url, exchanges: [fetchExchange], preferGetMethod: 'within-url-limit', fetchOptions: { headers: bearer(token) },
    });
    return async (text, variables = {}) => {
      const run = text.startsWith('query') ? client.query(text, variables) : client.mutation(text, variables);
      const { data, error } = await run.toPromise();
      if (error?.networkError) return { status: error.response?.status ?? assert.fail(error) };
      return outcome(data, error?.graphQLErrors);
    };
  },
  'graphql-request': (token) => {
    const client = new GraphQLClient(url, { headers: bearer(token), errorPolicy: 'all' });
    return async (text, variables) => {
      try {
        const { data, errors } = await client.rawRequest(text, variables);
        return outcome(data, errors);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        const { errors, status } = error.response;
        return errors ? { codes: codes(errors) } : { status };
      }
    };
  },
};

for (const [name, connect] of Object.entries(clients)) {
  try {
    await useAsEverybodyDoes(connect);
    console.log(`${name}: works`);
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exitCode = 1;
  }
}

async function useAsEverybodyDoes(connect) {
  const username = `client-${randomBytes(6).toString('hex')}`;
  const input = { username, password: 'correct horse battery' };
  const anonymous = connect();
  assert.equal(typeof (await anonymous(HELLO)).data.hello, 'string');

  const { data: { signUp } } = await anonymous(SIGN_UP, { input });
  assert.deepEqual([signUp.user.username, signUp.userErrors], [username, []]);
  const taken = (await anonymous(SIGN_UP, { input })).data.signUp;
  assert.deepEqual([taken.tokens, taken.userErrors[0].code], [null, 'TAKEN'], 'what a person can correct is data');

  const user = connect(signUp.tokens.accessToken);
  assert.equal((await user(NEXT)).data.next.value, 1);
  assert.equal((await user(NEXT)).data.next.value, 2);
  assert.equal((await user(CURRENT)).data.current, 2);
  const { viewer } = (await user(VIEWER)).data;
  assert.deepEqual([viewer.user.username, viewer.counter.current], [username, 2]);

  const partial = await user(NEXT_AND_FAIL);
  assert.deepEqual([partial.data.taken.value, partial.data.failed, partial.codes], [3, null, ['NOT_FOUND']]);

  assert.deepEqual(await anonymous(CURRENT), { data: { current: null }, codes: ['UNAUTHENTICATED'] });
  assert.deepEqual(await anonymous(WRONG), { codes: ['GRAPHQL_VALIDATION_FAILED'] });
  // With status 401, which no client takes for a failure of the network.
  const refused = await connect('nonsense')(CURRENT);
  assert.deepEqual(refused.codes, ['UNAUTHENTICATED'], JSON.stringify(refused));
  assert.equal(typeof (await connect('nonsense')(HELLO)).data.hello, 'string', 'a field that needs no user');
}

function bearer(token) {
  return token ? { authorization: `Bearer ${token}` } : {};
}

function outcome(data, errors) {
  return { ...(data && { data }), ...(errors?.length > 0 && { codes: codes(errors) }) };
}

function codes(errors) {
  return errors.map((error) => error.extensions?.code);
}
