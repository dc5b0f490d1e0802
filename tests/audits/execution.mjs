// Compares the results of generated documents with those of graphql-js: `execute` over a schema whose results are
// computed from their own paths (documents/examples/executor/). Compared are the data, with the order of its fields,
// and where errors are. Start it after `cargo build --package documents --example executor`.
//
//   CLOAKROOM_EXECUTOR  the program (target/debug/examples/executor)
//   DOCUMENTS           how many documents (1000)
//   SEED                the seed of the generator (1)

import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildSchema, execute, parse, validate } from 'graphql';

import { Requests } from './execution/requests.mjs';
import { resolve } from './execution/results.mjs';
import { random } from './validation/random.mjs';

const count = Number(process.env.DOCUMENTS ?? 1000);
const seed = Number(process.env.SEED ?? 1);
const program =
  process.env.CLOAKROOM_EXECUTOR ?? fileURLToPath(new URL('../../target/debug/examples/executor', import.meta.url));

const schema = buildSchema(execFileSync(program, ['--schema'], { encoding: 'utf8' }));
const generator = new Requests(schema, random(seed));
const executor = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
const responses = createInterface({ input: executor.stdout })[Symbol.asyncIterator]();

// graphql-js forgets the errors of fields beside one that failed first.
process.on('unhandledRejection', (error) => {
  if (!error.message.startsWith('failure ')) throw error;
});

const figures = { documents: 0, complete: 0, withErrors: 0, refused: 0, explained: 0, differences: 0 };
while (figures.documents < count) {
  const request = generator.next();
  const document = parse(request.query);
  const faults = validate(schema, document);
  if (faults.length > 0) throw new Error(`The generator is wrong: ${faults[0].message}\n${request.query}`);
  figures.documents += 1;
  executor.stdin.write(`${JSON.stringify(request)}\n`);
  const { value, done } = await responses.next();
  if (done) throw new Error(`The executor ended: ${JSON.stringify(request)}`);
  compare(request, await reference(request, document), JSON.parse(value));
}
executor.stdin.end();
console.log(JSON.stringify(figures));
process.exitCode = figures.differences === 0 && figures.complete > 0 && figures.withErrors > 0 ? 0 : 1;

async function reference({ variables, operationName }, document) {
  const result = await execute({
    schema,
    document,
    rootValue: { number: 0 },
    variableValues: variables,
    operationName,
    fieldResolver: resolve,
  });
  return JSON.parse(JSON.stringify(result));
}

function compare(request, expected, actual) {
  const isRefused = (response) => response.data == null && (response.errors ?? []).every((error) => !error.path);
  if (isRefused(expected) && isRefused(actual)) {
    figures.refused += 1;
  } else if (outcome(expected) === outcome(actual)) {
    figures[expected.errors ? 'withErrors' : 'complete'] += 1;
  } else if (isMisplacedNull(request, actual)) {
    figures.explained += 1;
  } else {
    figures.differences += 1;
    if (figures.differences > 10) return;
    console.log(`${request.query}\n${JSON.stringify(request)}`);
    console.log(`  graphql-js:   ${outcome(expected)}\n  the executor: ${outcome(actual)}\n`);
  }
}

/**
 * A variable that is null where a value is required is refused before anything is executed. graphql-js finds it when the
 * field is executed, if it is.
 */
function isMisplacedNull({ variables }, { data, errors }) {
  const [, variable] = /^Variable "\$(\w+)" must not be null where the type/.exec(errors?.[0].message) ?? [];
  return data == null && errors?.length === 1 && variables[variable] === null;
}

/**
 * The data, and for each place that is null because of an error the errors that belong there. Of the errors inside of a
 * value that is null as a whole each implementation may report other ones (section 6.4.4), so that they count as one.
 */
function outcome({ data, errors = [] }) {
  const places = errors.map(({ message, path = [], locations = [] }) => {
    let value = data;
    let place = 0;
    while (value != null && place < path.length) {
      value = value[path[place]];
      place += 1;
    }
    const at = path.slice(0, place).join('.');
    return place === path.length ? `${at}: ${message} ${locations[0].line}:${locations[0].column}` : `${at}: an error inside`;
  });
  // What failed at a place itself is not told of if something inside failed as well.
  return JSON.stringify({ data, errors: [...new Set(places)].sort() });
}
