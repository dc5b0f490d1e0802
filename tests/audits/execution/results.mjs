// The results of documents/examples/executor/ once more, for graphql-js.

import {
  getNullableType, isAbstractType, isEnumType, isInputObjectType, isListType, isNonNullType, isObjectType,
} from 'graphql';

/** The parents' numbers of the root fields. */
const ROOTS = { Query: 0, Mutation: 1 };

/** Resolves any field of the schema. */
export async function resolve(source, args, _context, info) {
  const field = info.parentType.getFields()[info.fieldName];
  const shown = field.args.map((argument) => show(args[argument.name], argument.type)).join(',');
  const parent = ROOTS[info.parentType.name] ?? source.number;
  const number = hash(`${parent}.${info.fieldName}(${shown})`);
  for (let turn = number % 3; turn > 0; turn -= 1) await null;
  const result = mock(info.returnType, number, info.schema);
  if (result instanceof Error) throw result;
  return result;
}

/** A value of this type, null, or an error. */
function mock(type, number, schema) {
  if (isNonNullType(type)) return number % 20 === 0 ? failure(number) : value(type.ofType, number, schema);
  if (number % 10 === 0) return null;
  return number % 10 === 1 ? failure(number) : value(type, number, schema);
}

function value(type, number, schema) {
  if (isListType(type)) {
    const elements = Array.from({ length: number % 4 }, (_, place) => hash(`${number}[${place}]`));
    return elements.map((element) => mock(type.ofType, element, schema));
  }
  if (isEnumType(type)) return ['BLUE', 'GREEN', 'RED'][number % 3];
  if (isObjectType(type)) return { number };
  if (isAbstractType(type)) {
    const types = schema.getPossibleTypes(type).map((possible) => possible.name).sort();
    return { __typename: types[number % types.length], number };
  }
  switch (type.name) {
    case 'Int': return number % 1000;
    case 'Float': return (number % 1000) / 2;
    case 'Boolean': return number % 2 === 1;
    case 'ID': return String(number);
    default: return `text ${number}`;
  }
}

function failure(number) {
  return new Error(`failure ${number}`);
}

/** FNV-1a of 32 bits, with the bits mixed once more. */
function hash(text) {
  let number = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) number = Math.imul(number ^ byte, 0x01000193);
  number = Math.imul(number ^ (number >>> 15), 0x2c1b3c6d);
  return (number ^ (number >>> 12)) >>> 0;
}

/** An argument as text, in which what is absent differs from what is null. */
function show(argument, type) {
  if (argument === undefined) return 'absent';
  if (argument === null) return 'null';
  const nullable = getNullableType(type);
  if (isListType(nullable)) return `[${argument.map((element) => show(element, nullable.ofType)).join(',')}]`;
  if (isInputObjectType(nullable)) {
    const fields = Object.values(nullable.getFields());
    if (nullable.isOneOf) {
      const [field] = fields.filter(({ name }) => name in argument);
      return `{${field.name}:${show(argument[field.name], field.type)}}`;
    }
    return `{${fields.map(({ name, type: inner }) => show(argument[name], inner)).join(',')}}`;
  }
  switch (nullable.name) {
    case 'Float': return bits(argument);
    case 'String':
    case 'ID': return `<${argument}>`;
    default: return String(argument);
  }
}

function bits(float) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, float);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
}
