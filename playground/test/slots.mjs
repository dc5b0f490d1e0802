// Where variables take files, with a schema that has them in every place.

import assert from 'node:assert/strict';
import { buildSchema, parse } from 'graphql';
import { placesIn, slotsOf, withPlaces } from '../src/upload-slots.js';

const schema = buildSchema(`
  scalar Upload
  input Batch { items: [Item!]! cover: Upload first: Batch }
  input Item { picture: Upload! caption: String others: [[Upload!]!] }
  type Query { a(file: Upload, files: [Upload!], batch: Batch, name: String): Int }
`);

/** `name of the slot, * for many, ! for required`, for each. */
function slots(variables) {
  const found = slotsOf(schema, parse(`query Q(${variables}) { a }`), 'Q');
  return found.map(({ name, many, required }) => name + (many ? '*' : '') + (required ? '!' : ''));
}

assert.deepEqual(slots('$upload: String'), [], 'the type counts, not the name');
assert.deepEqual(slots('$a: Upload!, $b: Upload, $c: [Upload!]!, $d: [Upload]!'), ['a!', 'b', 'c*!', 'd*']);
assert.deepEqual(slots('$x: Batch!'), ['x.items.picture*!', 'x.items.others*', 'x.cover']);
assert.deepEqual(slots('$x: [Batch!]'), ['x.items.picture*', 'x.items.others*', 'x.cover*']);
assert.deepEqual(slots('$x: Unknown!'), []);
assert.deepEqual(slotsOf(null, parse('{ a }')), []);
assert.deepEqual(slotsOf(schema, parse('{ a } query B { a }')), [], 'which of them is not said');

const [slot] = slotsOf(schema, parse('query Q($x: Batch!) { a }'), 'Q');
const one = { x: { items: [{ picture: null, caption: 'One' }], cover: 'kept' } };
const three = withPlaces(one, slot.steps, [0, 1, 2]);
assert.deepEqual(placesIn(three, slot.steps), ['x.items.0.picture', 'x.items.1.picture', 'x.items.2.picture']);
assert.deepEqual(three.x.items.map((item) => item.caption), ['One', 'One', 'One']);
assert.equal(three.x.cover, 'kept');
three.x.items[2].caption = 'Three';
assert.deepEqual(withPlaces(three, slot.steps, [0, 2]).x.items.map((item) => item.caption), ['One', 'Three']);
assert.deepEqual(placesIn({}, slot.steps), []);
assert.deepEqual(placesIn({ x: { items: 'wrong' } }, slot.steps), []);
assert.deepEqual(withPlaces({}, slot.steps, [0]), { x: { items: [{ picture: null }] } });
assert.deepEqual(withPlaces({}, ['file'], [0]), { file: null });
assert.deepEqual(withPlaces({ files: [] }, ['files', '*'], [0, 1]), { files: [null, null] });
