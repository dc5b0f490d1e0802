/** Variables as one writes them: what has nothing in it but plain values takes one line. */
export function inLines(value, indent = '') {
  if (isPlain(value)) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const deeper = `${indent}  `;
  const parts = Object.entries(value)
    .map(([name, part]) => (isList ? '' : `${JSON.stringify(name)}: `) + inLines(part, deeper));
  const [open, close] = isList ? '[]' : '{}';

  if (parts.length === 0) return open + close;
  if (Object.values(value).every(isPlain)) {
    const space = isList ? '' : ' ';
    return open + space + parts.join(', ') + space + close;
  }
  return `${open}\n${parts.map((part) => deeper + part).join(',\n')}\n${indent}${close}`;
}

function isPlain(value) {
  return typeof value !== 'object' || value === null;
}
