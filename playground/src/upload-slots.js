import { getOperationAST, isInputObjectType, isListType, isNonNullType, typeFromAST } from 'graphql';

/** Stands among the steps of a slot for every item of a list. */
const ITEM = '*';

/**
 * Where the variables of an operation take files: by the types of the schema, whatever the names. Each
 * slot has a `name` such as `input.photos.file`, its `steps`, whether it is `many`, and whether it is `required`.
 */
export function slotsOf(schema, document, operationName) {
  const operation = schema && document && getOperationAST(document, operationName);
  return (operation?.variableDefinitions ?? []).flatMap(({ variable, type }) => {
    const known = typeFromAST(schema, type);
    return known ? slotsIn(known, [variable.name.value], true, []) : [];
  });
}

function slotsIn(type, steps, required, around) {
  if (isNonNullType(type)) return slotsBelow(type.ofType, steps, required, around);
  return slotsBelow(type, steps, false, around);
}

function slotsBelow(type, steps, required, around) {
  if (isListType(type)) return slotsIn(type.ofType, [...steps, ITEM], required, around);
  if (isInputObjectType(type)) {
    // An input may have itself as a field.
    if (around.includes(type)) return [];
    return Object.values(type.getFields())
      .flatMap((field) => slotsIn(field.type, [...steps, field.name], required, [...around, type]));
  }
  if (type.name !== 'Upload') return [];
  const name = steps.filter((step) => step !== ITEM).join('.');
  return [{ name, steps, many: steps.includes(ITEM), required }];
}

/** The places of a slot in these variables, such as `input.photos.0.file`. */
export function placesIn(value, [step, ...rest], path = []) {
  if (step === undefined) return [path.join('.')];
  if (step === ITEM) {
    return Array.isArray(value) ? value.flatMap((item, at) => placesIn(item, rest, [...path, at])) : [];
  }
  return isObject(value) && step in value ? placesIn(value[step], rest, [...path, step]) : [];
}

/**
 * The same variables with a place for each of `sources`: the numbers of the items to keep of the list
 * that the slot is in. What is beyond them is like the last, so that all have its caption.
 */
export function withPlaces(value, [step, ...rest], sources) {
  if (step === undefined) return null;
  if (step !== ITEM) {
    const fields = isObject(value) ? value : {};
    return { ...fields, [step]: withPlaces(fields[step], rest, sources) };
  }
  const items = Array.isArray(value) ? value : [];
  // A list within the list has room for one.
  return sources.map((source) => withPlaces(items[source] ?? items.at(-1), rest, [0]));
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
