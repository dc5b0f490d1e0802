// Breaks documents, each in one or two of many ways. Some stay valid.

/** Ways to change a text: each gets the document, the schema and the random numbers. */
const WAYS = [
  // The language.
  (text, _, random) => edit(text, random, /[{}()[\]:!$@=]/g, () => ''),
  (text, _, random) => edit(text, random, /[{}()[\]:!$@=]/g, (found) => found + found),
  (text, _, random) => edit(text, random, /\s/g, () => random.pick([' %', ' ?', " '", ' ..', ' 01', ' "', ' "\\x" ', ' 1. '])),
  (text, _, random) => edit(text, random, /"[^"\n]*"/g, () => random.pick(['"\\uD800"', '"\\u{110000}"', '"\\u{}"', '"\\u{0000041}"', '"\\uD83D\\uDE00"'])),
  // Names.
  (text, _, random) => edit(text, random, /\b[a-z]\w*\b/g, () => random.pick(['nope', 'id', 'name', 'on', 'query', '__typename', 'true', 'null'])),
  (text, _, random) => edit(text, random, /\b[a-z]\w*(?=\s*[,})]| \{)/gi, (found) => `${found}x`),
  (text, _, random) => edit(text, random, /\ba\d+(?=:)/g, () => 'same'),
  (text, _, random) => twice(text, random, /\ba\d+(?=:)/g, 'same'),
  (text, _, random) => twice(text, random, /\b\w+\d+(?=:)/g, 'other'),
  (text, _, random) => edit(text, random, /\b\w+\d+: /g, () => ''),
  (text) => text.replace(/\b\w+\d+: /g, ''),
  // Types.
  (text, schema, random) => edit(text, random, / on \w+/g, () => ` on ${typeName(schema, random)}`),
  (text, schema, random) => edit(text, random, /: \[?\w+!?\]?!?(?=[,)])/g, () => `: ${typeName(schema, random)}`),
  (text, _, random) => edit(text, random, /!(?=[,)\]])/g, () => ''),
  (text, _, random) => edit(text, random, /(?<=\$v\d+: )\w+/g, (found) => `[${found}]`),
  // Values.
  (text, _, random) => edit(text, random, /(?<=: )(-?\d+|"[^"\n]*"|true|false|null|[A-Z_]{3,})(?=[,)}\s])/g, () => random.pick(VALUES)),
  (text, _, random) => edit(text, random, /(?<=: )[A-Z_]{3,}(?=[,)}\s])/g, (found) => `"${found}"`),
  (text, _, random) => edit(text, random, /(?<=: )\{ [^{}]* \}/g, (found) => random.pick(['{}', '[]', '1', `[${found}]`, `{ nope: 1 }`])),
  (text, _, random) => edit(text, random, /(?<=[{(] ?|, )\w+: (-?\d+|"[^"\n]*"|true|false|null|[A-Z_]{3,})(?=[,)}\s])/g, (found) => random.pick([`${found}, ${found}`, `${found} ${found}`, ''])),
  // Arguments.
  (text, _, random) => edit(text, random, /(?<!Operation\d|query|mutation|subscription)\([^()]*\)/g, () => ''),
  (text, _, random) => edit(text, random, /\b\w+(?= \{| [a-z_}])/g, (found) => `${found}(first: 1)`),
  // Variables.
  (text, _, random) => edit(text, random, /(?<=[\s(])\$v\d+: [^,)]+/g, (found) => random.pick([`${found}, ${found}`, `${found}, $unused: Int`, '$other: Int'])),
  (text, _, random) => edit(text, random, /(?<=: )("[^"\n]*"|-?\d+|true|false)(?=[,)}\s])/g, () => random.pick(['$undefined', '$v0', '$v1'])),
  (text, _, random) => edit(text, random, /(?<=[\s(])\$v\d+: [^,)]+/g, (found) => found + random.pick([' = null', ' = 1', ' = "x"', ' = true', ' = []', ' = $v1', ' = 1 @deprecated', ' @deprecated', ' @nope'])),
  (text, _, random) => edit(text, random, /\((?=\$)/g, () => random.pick(['("Described." ', '($unused: Int = 3, ', '($unknown: Nope, ', '($output: User, '])),
  // Directives.
  (text, _, random) => edit(text, random, /(?<=\w)(?= \{| [a-z}_])/g, () => random.pick(DIRECTIVES)),
  (text, _, random) => edit(text, random, / @(skip|include)\(if: \w+\)/g, (found) => random.pick([found + found, ' @skip', ' @include(unless: true)', ' @skip(if: 1)', ' @include(if: null)'])),
  // Fragments and operations.
  (text, schema, random) => `${text} fragment ${random.pick(['F0', 'Unused', 'on'])} on ${typeName(schema, random)} { __typename }`,
  (text, _, random) => edit(text, random, /\.\.\.F\d+/g, () => random.pick(['...Missing', '...F0', '...F1', '...F2'])),
  (text, _, random) => edit(text, random, /(?<=fragment F\d+ on \w+ \{)/g, () => random.pick([' ...F0', ' ...F1', ' ... { ...F0 }'])),
  (text, schema, random) => edit(text, random, /\{(?= \w)/g, (found) => `${found} ... on ${typeName(schema, random)} { __typename }`),
  (text, _, random) => text + random.pick([' { hello }', ' query Operation0 { hello }', ' type T { a: Int }', ' subscription S { __typename }', ' "Text." { hello }']),
  (text, _, random) => edit(text, random, /^(query|mutation|subscription)/g, () => random.pick(['query', 'mutation', 'subscription', 'Query', ''])),
  (text, _, random) => edit(text, random, /\bfragment F\d+ on/g, () => random.pick(['fragment on on', 'fragment F0', 'fragment F1 on', '"Described." fragment F0 on'])),
  // Leaves.
  (text, _, random) => edit(text, random, /\b(id|name|kind|__typename)\b(?=[ ,])/g, (found) => `${found} { id }`),
  (text, _, random) => edit(text, random, /(?<=\w) \{ [^{}]* \}/g, () => random.pick([' ', ' {}', ' { __typename }', ' { __schema { types { name } } }'])),
];

const VALUES = [
  '0', '-1', '2147483648', '-2147483649', '9007199254740992', '99999999999999999999999999', '1.0', '1.5', '1e400', 'true',
  '"text"', '"1"', '"2026-01-31T12:00:00Z"', 'null', '[]', '[null]', '[1, "a"]', '{}', '{ a: 1 }', 'ASC', 'NOPE', '""""""',
];
const DIRECTIVES = [
  ' @nope', ' @skip(if: true)', ' @include(if: false)', ' @deprecated', ' @skip', ' @skip(if: true) @skip(if: false)',
  ' @include(if: "true")', ' @include(if: $undefined)', ' @oneOf', ' @specifiedBy(url: "x")',
];

function typeName(schema, random) {
  return random.pick(['Nope', ...Object.keys(schema.getTypeMap())]);
}

/** Replaces one of the places that match. */
function edit(text, random, pattern, change) {
  const places = [...text.matchAll(pattern)];
  if (places.length === 0) return text;
  const place = random.pick(places);
  return text.slice(0, place.index) + change(place[0]) + text.slice(place.index + place[0].length);
}

/** Replaces two of the places that match by the same text. */
function twice(text, random, pattern, name) {
  return edit(edit(text, random, pattern, () => name), random, pattern, () => name);
}

export function broken(document, schema, random) {
  let text = document;
  for (let number = random.chance(0.3) ? 2 : 1; number > 0; number -= 1) text = random.pick(WAYS)(text, schema, random);
  return text;
}
