// Compares the server's verdict on generated documents, valid and broken, with that of graphql-js: `parse` and
// `validate` over schema.graphql. Starts a server of its own.
//
//   CLOAKROOM_BINARY  the binary (target/debug/cloakroom)
//   DOCUMENTS         how many documents (10000)
//   SEED              the seed of the generator (1)

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraphQLError, buildSchema, parse, validate, valueFromASTUntyped } from 'graphql';

import { freePort, start } from './server.mjs';
import { Documents } from './validation/documents.mjs';
import { broken } from './validation/broken.mjs';
import { random } from './validation/random.mjs';

const count = Number(process.env.DOCUMENTS ?? 10_000);
const seed = Number(process.env.SEED ?? 1);
/** Requests at the same time. */
const LANES = 8;
/** What the server says of a valid document that lacks the operation it was asked for. */
const VALID = 'There is no operation "_".';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
scalar('SafeInt', (value) => Number.isSafeInteger(value));
scalar('DateTime', (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value));
scalar('URL', (value) => typeof value === 'string' && URL.canParse(value));
scalar('Upload', () => false);

/** Gives a scalar the rule that its description in the schema has. */
function scalar(name, accepts) {
  const type = schema.getType(name);
  type.parseLiteral = (node) => {
    const value = valueFromASTUntyped(node);
    if (!accepts(value)) throw new GraphQLError(`This is no ${name}.`);
    return value;
  };
}

/** The faults that graphql-js finds. */
function faultsOfReference(document) {
  try {
    return validate(schema, parse(document)).map((error) => error.message);
  } catch (error) {
    return [error.message];
  }
}

/** The faults that the server finds; null if the document is beyond a limit. */
async function faultsOfServer(url, document) {
  const body = JSON.stringify({ query: document, operationName: '_' });
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { errors } = await response.json();
  const codes = errors.map((error) => error.extensions.code);
  if (codes.includes('QUERY_TOO_COMPLEX')) return null;
  const known = codes.every((code) => ['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED'].includes(code));
  if (!known) throw new Error(`${codes}: ${document}`);
  const messages = errors.map((error) => error.message);
  return messages.length === 1 && messages[0] === VALID ? [] : messages;
}

/**
 * The September 2025 edition has a rule that graphql-js 16 has not. graphql-js leaves out a root field whose condition is
 * false, so it does not see that the field is one of introspection, either.
 */
function isExplained(messages) {
  const isCondition = (message) => message.includes('must not use `@skip` or `@include`');
  const isIntrospection = (message) => message.includes('must not select an introspection');
  return messages.some(isCondition) && messages.every((message) => isCondition(message) || isIntrospection(message));
}

const generator = random(seed);
const documents = new Documents(schema, generator);
const figures = { documents: 0, valid: 0, invalid: 0, sameMessage: 0, explained: 0, beyondALimit: 0, differences: 0 };
const limits = Object.fromEntries(
  [['TOKENS', 20000], ['COMPLEXITY', 100000], ['ALIASES', 20000], ['DIRECTIVES', 20000], ['DEPTH', 100]].map(
    ([name, limit]) => [`CLOAKROOM__GRAPHQL__MAX_${name}`, String(limit)],
  ),
);

const data = mkdtempSync(join(tmpdir(), 'cloakroom-validation-'));
const port = await freePort();
const server = await start(data, port, limits);
try {
  await Promise.all(Array.from({ length: LANES }, lane));
} finally {
  server.kill();
  rmSync(data, { recursive: true, force: true });
}
console.log(JSON.stringify(figures));
process.exitCode = figures.differences === 0 && figures.valid > 0 && figures.invalid > 0 ? 0 : 1;

async function lane() {
  while (figures.documents < count) {
    figures.documents += 1;
    const document = generator.chance(0.25) ? documents.next() : broken(documents.next(), schema, generator);
    await compare(document);
  }
}

async function compare(document) {
  const reference = faultsOfReference(document);
  const own = await faultsOfServer(`http://127.0.0.1:${port}/graphql`, document);
  if (own === null) {
    figures.beyondALimit += 1;
  } else if ((reference.length === 0) === (own.length === 0)) {
    figures[own.length === 0 ? 'valid' : 'invalid'] += 1;
    if (own.length > 0 && own.some((message) => reference.includes(message))) figures.sameMessage += 1;
  } else if (isExplained(own)) {
    figures.explained += 1;
  } else {
    figures.differences += 1;
    if (figures.differences <= 20) console.log(`${document}\n  graphql-js: ${reference}\n  the server: ${own}\n`);
  }
}
