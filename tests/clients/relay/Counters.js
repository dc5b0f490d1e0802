// Relay: its compiler reads the documents below against schema.graphql, and its runtime keeps one copy of each object,
// follows a subscription and joins the pages of a connection.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { createClient } = require('graphql-ws');
const {
  ConnectionHandler, Environment, Network, Observable, RecordSource, Store,
  commitMutation, createOperationDescriptor, fetchQuery, getSelector, graphql, requestSubscription,
} = require('relay-runtime');
const WebSocket = require('ws');

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

const SIGN_UP = graphql`
  mutation CountersSignUpMutation($input: SignUpInput!) {
    signUp(input: $input) { user { id } tokens { accessToken } userErrors { code } }
  }
`;
const QUERY = graphql`
  query CountersQuery { viewer { id ...Counters_viewer counter { id current } } }
`;
const VIEWER = graphql`
  fragment Counters_viewer on Viewer
  @refetchable(queryName: "CountersPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, after: { type: "String" }) {
    counters(first: $count, after: $after) @connection(key: "Counters_counters") {
      edges { node { id name current ...Counters_counter } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;
const COUNTER = graphql`
  fragment Counters_counter on Counter @refetchable(queryName: "CountersRefetchQuery") { name updatedAt }
`;
// relay-compiler writes the queries of both fragments, with `viewer` for the one and `node(id:)` for the other.
const PAGINATION = require('./generated/CountersPaginationQuery.graphql');
const REFETCH = require('./generated/CountersRefetchQuery.graphql');
const NEXT = graphql`
  mutation CountersNextMutation($input: NextInput) {
    next(input: $input) { value counter { id current } }
  }
`;
const CREATE = graphql`
  mutation CountersCreateMutation($input: CreateCounterInput!, $connections: [ID!]!) {
    createCounter(input: $input) {
      counter @appendNode(connections: $connections, edgeTypeName: "CounterEdge") { id name current }
      userErrors { code }
    }
  }
`;
const DELETE = graphql`
  mutation CountersDeleteMutation($input: DeleteCounterInput!, $connections: [ID!]!) {
    deleteCounter(input: $input) {
      deletedCounterId @deleteEdge(connections: $connections)
      userErrors { code }
    }
  }
`;
const WATCH = graphql`subscription CountersSubscription { counter { id current } }`;
// Two types with fields of one name, behind the interface `Node`.
const NODE = graphql`
  query CountersNodeQuery($id: ID!) {
    node(id: $id) { id ... on Counter { name current } ... on User { username } ... on ApiKey { name } }
  }
`;

let token;

async function send({ text }, variables) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: text, variables }) });
  return response.json();
}

const sockets = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: () => ({ Authorization: `Bearer ${token}` }),
});
const environment = new Environment({
  network: Network.create(send, ({ text, name }, variables) => Observable.create((sink) => (
    sockets.subscribe({ operationName: name, query: text, variables }, sink)
  ))),
  store: new Store(new RecordSource()),
});

const query = (document, variables) => fetchQuery(environment, document, variables).toPromise();
const mutate = (mutation, variables) => new Promise((resolve, reject) => {
  commitMutation(environment, {
    mutation,
    variables,
    onCompleted: (data, errors) => (errors ? reject(new Error(JSON.stringify(errors))) : resolve(data)),
    onError: reject,
  });
});

async function useCounters() {
  const input = { username: `relay-${randomBytes(6).toString('hex')}`, password: 'correct horse battery' };
  const { signUp } = await mutate(SIGN_UP, { input });
  assert.deepEqual(signUp.userErrors, []);
  token = signUp.tokens.accessToken;

  const operation = createOperationDescriptor(QUERY, {});
  const retained = environment.retain(operation);
  const { viewer } = await query(QUERY, {});
  const read = () => environment.lookup(operation.fragment).data.viewer;
  const list = () => environment.lookup(getSelector(VIEWER, read())).data.counters;
  const names = () => list().edges.map(({ node }) => node.name);
  assert.deepEqual(names(), ['default']);

  // A mutation's result updates the object; lists follow by directives.
  const { next } = await mutate(NEXT, {});
  assert.deepEqual([next.value, read().counter.current], [1, 1]);
  const connections = [ConnectionHandler.getConnectionID(viewer.id, 'Counters_counters')];
  for (const name of ['a', 'b', 'c']) {
    const { createCounter } = await mutate(CREATE, { input: { name }, connections });
    assert.deepEqual(createCounter.userErrors, []);
  }
  assert.deepEqual(names(), ['default', 'a', 'b', 'c']);
  const { deleteCounter } = await mutate(DELETE, { input: { name: 'b' }, connections });
  assert.deepEqual(deleteCounter.userErrors, []);
  assert.deepEqual(names(), ['default', 'a', 'c']);

  // The next page is joined with the first.
  await query(QUERY, {});
  assert.deepEqual(names(), ['a', 'c']);
  const { hasNextPage, endCursor } = list().pageInfo;
  assert.equal(hasNextPage, true);
  await query(PAGINATION, { count: 2, after: endCursor });
  assert.deepEqual([names(), list().pageInfo.hasNextPage], [['a', 'c', 'default'], false]);

  const [edge] = list().edges;
  const { node } = await query(NODE, { id: edge.node.id });
  assert.equal(node.name, 'a');
  const refetched = await query(REFETCH, { id: edge.node.id });
  assert.equal(refetched.node.__id, edge.node.id);
  assert.equal(environment.lookup(getSelector(COUNTER, edge.node)).data.name, 'a');

  await followTheCounter(operation, read);
  assert.equal(list().edges[2].node.current, 4, 'the list has the same counter');
  retained.dispose();
}

/** The subscription updates the counter of the first query, although its numbers are taken past this environment. */
async function followTheCounter(operation, read) {
  const snapshot = environment.lookup(operation.fragment);
  const seen = [];
  await new Promise((resolve, reject) => {
    const take = () => send({ text: 'mutation { next { value } }' }).catch(reject);
    const changes = environment.subscribe(snapshot, ({ data }) => {
      seen.push(data.viewer.counter.current);
      if (seen.length < 3) return void take();
      subscription.dispose();
      changes.dispose();
      resolve();
    });
    let live = false;
    const subscription = requestSubscription(environment, {
      subscription: WATCH,
      variables: {},
      // The first event is the present state.
      onNext: () => { if (!live) { live = true; take(); } },
      onError: reject,
    });
  });
  assert.deepEqual(seen, [2, 3, 4]);
  assert.equal(read().counter.current, 4);
}

useCounters()
  .then(() => console.log('Relay: the store follows mutations, pages and the live counter'))
  .catch((error) => {
    console.error('Relay:', error);
    process.exitCode = 1;
  })
  .finally(() => sockets.dispose());
