import { parse } from 'graphql';
import { placesIn, slotsOf } from './upload-slots.js';

// The files that were chosen: for each operation by its name, for each of its
// slots by its name. They are gone when the page is: a browser gives no file twice.
const chosen = new Map();
const NONE = Object.freeze({});
const listeners = new Set();
let schema = null;

/** Only the schema says which variables take files. */
export function learnSchema(known) {
  schema = known;
}

/** The files for an operation: `{ [slot]: [{ file, preview }] }`. The same object until others are chosen. */
export function filesFor(operationName) {
  return chosen.get(operationName ?? '') ?? NONE;
}

export function choose(operationName, slot, files) {
  const before = filesFor(operationName);
  for (const { file, preview } of before[slot] ?? []) {
    if (!files.some((one) => one.file === file)) URL.revokeObjectURL(preview);
  }
  chosen.set(operationName ?? '', { ...before, [slot]: files });
  for (const listener of listeners) listener();
}

/** A file as it is chosen, with the URL of its preview. */
export function withPreview(file) {
  return { file, preview: URL.createObjectURL(file) };
}

export function onFilesChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * The operation with its `files`, each with the place in the variables that it
 * takes; or the `problem` why it cannot be sent, as an answer.
 */
export function pack(operation) {
  const { query, variables, operationName } = operation;
  const files = [];
  for (const slot of slotsIn(query, operationName)) {
    const places = placesIn(variables ?? {}, slot.steps);
    const ready = filesFor(operationName)[slot.name] ?? [];
    if (!ready.length && !slot.required) continue;
    if (!ready.length) return problem(`choose a file for \`${slot.name}\` below the variables.`);
    if (ready.length !== places.length) {
      const [chosen, room] = [count(ready.length, 'file'), count(places.length, 'place')];
      return problem(`${chosen} chosen, but the variables have ${room} for \`${slot.name}\`.`);
    }
    places.forEach((place, at) => files.push({ place: `variables.${place}`, file: ready[at].file }));
  }
  return { ...operation, files };
}

function slotsIn(query, operationName) {
  try {
    return slotsOf(schema, parse(query), operationName);
  } catch {
    // The server says better what is wrong with it.
    return [];
  }
}

function problem(reason) {
  return { problem: { errors: [{ message: `Nothing was sent: ${reason}` }] } };
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
