// Uploads a photo to Cloakroom in plain JavaScript, on Node's own `fetch` and `FormData`: sign up, upload, publish,
// list, download the thumbnail, delete. Copy from it what you need: the first half is the client, the second half
// uses it.
//
//   node examples/upload/main.js [URL]      URL, or CLOAKROOM_URL: http://127.0.0.1:8000/graphql

'use strict';
const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { deflateSync } = require('node:zlib');

const url = process.argv[2] ?? process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

// --- The client -----------------------------------------------------------------------------------------------------

/** Runs one operation and returns its `data`. What a person can correct is in there too, in `userErrors`. */
async function graphql(query, variables, token) {
  return send(JSON.stringify({ query, variables }), { 'Content-Type': 'application/json' }, token);
}

/**
 * The same with files: `files` has for each its place in the variables, where null stands, and a `Blob`. A file on a
 * disk is `await fs.openAsBlob(path)`; it is read while it is sent.
 */
async function graphqlWithFiles(query, variables, files, token) {
  // The server reads the parts as they come, so they must come in this order.
  const form = new FormData();
  form.append('operations', JSON.stringify({ query, variables }));
  form.append('map', JSON.stringify(Object.fromEntries(files.map(({ place }, at) => [at, [place]]))));
  files.forEach(({ blob }, at) => form.append(String(at), blob));
  // `fetch` writes the Content-Type, with the boundary of the form. A form without this header, or a token, is refused:
  // a page of another site could have sent it.
  return send(form, { 'Apollo-Require-Preflight': 'true' }, token);
}

async function send(body, headers, token) {
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(60_000) });

  // A proxy in between may answer with something else than JSON.
  const { data, errors } = await response.json().catch(() => ({}));
  if (data && !errors) return data;
  const { message, extensions } = errors?.[0] ?? {};
  const error = new Error(`${extensions?.code ?? `HTTP_${response.status}`}: ${message ?? response.statusText}`);
  // In `data`, the field that failed is null, and the other fields have their results.
  throw Object.assign(error, { data });
}

// --- The operations -------------------------------------------------------------------------------------------------

const USER_ERRORS = 'userErrors { code field message }';
const SIGN_UP = `mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) { tokens { accessToken } ${USER_ERRORS} }
}`;
const UPLOAD = `mutation Upload($input: UploadPhotosInput!) {
  uploadPhotos(input: $input) { photos { id state caption tags } ${USER_ERRORS} }
}`;
const PUBLISH = `mutation Publish($input: PublishPhotosInput!) {
  publishPhotos(input: $input) { photos { id state } ${USER_ERRORS} }
}`;
const PHOTOS = `query Photos($author: String) {
  photos(author: $author, first: 10) {
    nodes { id author { username } image(size: THUMBNAIL) { url width height contentType byteSize } }
  }
}`;
const DELETE = `mutation Delete($input: DeletePhotosInput!) {
  deletePhotos(input: $input) { deletedPhotoIds ${USER_ERRORS} }
}`;

// --- Its use --------------------------------------------------------------------------------------------------------

async function main() {
  const username = `sample-${randomBytes(6).toString('hex')}`;
  const { signUp } = await graphql(SIGN_UP, { input: { username, password: randomBytes(12).toString('hex') } });
  print('sign up', signUp);
  assert.deepEqual(signUp.userErrors, []);
  const token = signUp.tokens.accessToken;

  const input = { photos: [{ file: null, caption: 'A red coat #cloakroom' }] };
  const files = [{ place: 'variables.input.photos.0.file', blob: pictureOf(320, 240, [190, 30, 45]) }];
  const { uploadPhotos } = await graphqlWithFiles(UPLOAD, { input }, files, token);
  print('upload', uploadPhotos);
  assert.deepEqual(uploadPhotos.userErrors, []);
  const [{ id, state, tags }] = uploadPhotos.photos;
  assert.deepEqual([state, tags], ['DRAFT', ['cloakroom']]);

  // What is no picture is said so, with its place in the batch.
  const text = [{ place: 'variables.input.photos.0.file', blob: new Blob(['Not a picture.'], { type: 'image/png' }) }];
  const { uploadPhotos: refused } = await graphqlWithFiles(UPLOAD, { input }, text, token);
  print('upload a text', refused);
  assert.deepEqual([refused.photos, refused.userErrors[0].code], [null, 'UNSUPPORTED_MEDIA']);

  const { publishPhotos } = await graphql(PUBLISH, { input: { photoIds: [id] } }, token);
  print('publish', publishPhotos);
  assert.deepEqual(publishPhotos, { photos: [{ id, state: 'PUBLISHED' }], userErrors: [] });

  const { photos } = await graphql(PHOTOS, { author: username }, token);
  print('list', photos);
  assert.deepEqual(photos.nodes.map((photo) => photo.id), [id]);

  // The URL needs no token. It is good for an hour at least, and ends with the photo.
  const { image } = photos.nodes[0];
  const thumbnail = await fetch(image.url);
  const { byteLength } = await thumbnail.arrayBuffer();
  print('download the thumbnail', { status: thumbnail.status, byteLength });
  assert.deepEqual([thumbnail.status, byteLength], [200, image.byteSize]);
  assert.equal(thumbnail.headers.get('Content-Type'), image.contentType);

  const { deletePhotos } = await graphql(DELETE, { input: { photoIds: [id] } }, token);
  print('delete', deletePhotos);
  assert.deepEqual(deletePhotos, { deletedPhotoIds: [id], userErrors: [] });
  const { status } = await fetch(image.url);
  print('the thumbnail after that', { status });
  assert.equal(status, 404);
}

/** A PNG of one color, in place of a file. */
function pictureOf(width, height, color) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits each of red, green and blue.
  header.set([8, 2], 8);
  const line = Buffer.from([0, ...Array(width).fill(color).flat()]);
  const pixels = deflateSync(Buffer.concat(Array(height).fill(line)));
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  const parts = [signature, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))];
  return new Blob(parts, { type: 'image/png' });
}

function chunk(type, content) {
  const checked = Buffer.concat([Buffer.from(type), content]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  checksum.writeUInt32BE(crc32(checked));
  return Buffer.concat([length, checked, checksum]);
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Prints an answer on one line, with tokens and signatures shortened. */
function print(step, answer) {
  const shorten = (key, value) => {
    if (key === 'accessToken') return `${value.slice(0, 8)}…`;
    return key === 'url' ? value.replace(/(signature=.{8}).*/, '$1…') : value;
  };
  console.log(`${step}: ${JSON.stringify(answer, shorten)}`);
}

main().then(
  () => console.log('Every answer was as expected.'),
  (error) => {
    console.error(`${url}: ${error.cause?.message ?? error.message}`);
    process.exitCode = 1;
  },
);
