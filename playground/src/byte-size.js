const UNITS = ['B', 'kB', 'MB', 'GB'];

/** A number of bytes as people say it, such as `4.2 kB`. */
export function byteSize(bytes) {
  let [size, unit] = [bytes, 0];
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit > 0 && size < 9.95 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`;
}
