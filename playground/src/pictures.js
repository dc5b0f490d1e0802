import { thumbHashToDataURL } from 'thumbhash';

const MOST = 200;

/**
 * The pictures in an answer: whatever is a URL below /photos/, by any name, with
 * what stands beside it and, from around it, caption and thumbhash.
 */
export function picturesIn(answer) {
  const found = new Map();
  walk(answer, {}, found);
  return [...found.values()];
}

function walk(value, photo, found) {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, photo, found);
  } else if (typeof value === 'object' && value !== null) {
    const { caption = photo.caption, thumbhash = photo.thumbhash } = value;
    const known = { caption, thumbhash };
    for (const field of Object.values(value)) {
      const source = sourceOf(field);
      if (source && !found.has(source) && found.size < MOST) found.set(source, picture(source, value, known));
      else walk(field, known, found);
    }
  }
}

/** What to load from this server, by whichever of its names it was opened. */
function sourceOf(text) {
  if (typeof text !== 'string' || !text.includes('/photos/') || !URL.canParse(text, location.href)) return null;
  const { pathname, search } = new URL(text, location.href);
  return /^\/photos\/[^/]+\/[^/]+$/.test(pathname) ? pathname + search : null;
}

function picture(source, { width, height, contentType, byteSize }, { caption, thumbhash }) {
  return { source, width, height, contentType, byteSize, caption, placeholder: placeholder(thumbhash) };
}

/** A blurred picture of some 30 bytes as a data URL. */
function placeholder(thumbhash) {
  if (typeof thumbhash !== 'string') return null;
  try {
    return thumbHashToDataURL(Uint8Array.from(atob(thumbhash), (char) => char.charCodeAt(0)));
  } catch {
    // Something else has this name.
    return null;
  }
}
