// Clients that send files against a running server: Apollo Client with `apollo-upload-client`, and `fetch` with a
// form as the specification of multipart requests has it. Pictures go up, come back and are deleted.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import { ApolloClient, CombinedGraphQLErrors, InMemoryCache, ServerError, gql } from '@apollo/client';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

const SIGN_UP = `mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) { tokens { accessToken } userErrors { code } }
}`;
const UPLOAD = `mutation Upload($input: UploadPhotosInput!) {
  uploadPhotos(input: $input) {
    photos { id state caption tags thumbhash original: image(size: ORIGINAL) { ...Link } thumbnail: image(size: THUMBNAIL) { ...Link } }
    userErrors { code field message }
  }
}
fragment Link on Image { url width height contentType byteSize }`;
const UPLOAD_ONE = `mutation UploadOne($file: Upload!, $caption: String) {
  uploadPhotos(input: { photos: [{ file: $file, caption: $caption }], publish: true }) { photos { id state tags } userErrors { code } }
}`;
const DELETE = `mutation Delete($input: DeletePhotosInput!) {
  deletePhotos(input: $input) { deletedPhotoIds userErrors { code } }
}`;

/** What each client makes of a mutation with files in its variables: `data`, or the `codes` of its refusal. */
const clients = {
  'apollo-upload-client': (token) => {
    const headers = { 'Apollo-Require-Preflight': 'true', ...bearer(token) };
    const client = new ApolloClient({ link: new UploadHttpLink({ uri: url, headers }), cache: new InMemoryCache() });
    return async (text, variables) => {
      try {
        return { data: plain((await client.mutate({ mutation: gql(text), variables })).data) };
      } catch (error) {
        if (CombinedGraphQLErrors.is(error)) return { codes: codes(error.errors) };
        if (ServerError.is(error)) return { codes: codes(JSON.parse(error.bodyText).errors) };
        throw error;
      }
    };
  },
  'fetch and FormData': (token) => async (text, variables) => {
    const files = [];
    const operations = JSON.stringify({ query: text, variables: withoutFiles(variables, 'variables', files) });
    const form = new FormData();
    form.append('operations', operations);
    form.append('map', JSON.stringify(Object.fromEntries(files.map(({ place }, at) => [at, [place]]))));
    files.forEach(({ file }, at) => form.append(String(at), file, file.name ?? 'blob'));
    const headers = { 'Apollo-Require-Preflight': 'true', ...bearer(token) };
    const response = await fetch(url, { method: 'POST', headers, body: form });
    const { data, errors } = await response.json();
    return errors ? { codes: codes(errors) } : { data };
  },
};

for (const [name, connect] of Object.entries(clients)) {
  try {
    await upload(connect);
    console.log(`${name}: works`);
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exitCode = 1;
  }
}

async function upload(connect) {
  const mutate = connect(await signUp());
  const [one, other] = [picture(40, 30), picture(300, 200)];

  const input = { photos: [{ file: one, caption: 'One #audit' }, { file: other, caption: null }], publish: false };
  const { photos, userErrors } = (await mutate(UPLOAD, { input })).data.uploadPhotos;
  assert.deepEqual(userErrors, []);
  assert.deepEqual(photos.map(({ state, caption, tags }) => ({ state, caption, tags })), [
    { state: 'DRAFT', caption: 'One #audit', tags: ['audit'] },
    { state: 'DRAFT', caption: null, tags: [] },
  ]);
  assert.deepEqual(photos.map(({ original }) => [original.width, original.height]), [[40, 30], [300, 200]]);
  for (const image of photos.flatMap(({ original, thumbnail }) => [original, thumbnail])) await isServed(image);

  const { uploadPhotos } = (await mutate(UPLOAD_ONE, { file: one, caption: '#audit' })).data;
  assert.deepEqual(uploadPhotos.userErrors, []);
  assert.equal(uploadPhotos.photos[0].state, 'PUBLISHED');

  const broken = new File(['<svg xmlns="http://www.w3.org/2000/svg"/>'], 'claims.png', { type: 'image/png' });
  const refused = (await mutate(UPLOAD, { input: { photos: [{ file: one }, { file: broken }] } })).data.uploadPhotos;
  assert.equal(refused.photos, null, 'all of a batch, or nothing');
  const { code, field } = refused.userErrors[0];
  assert.deepEqual([code, field], ['UNSUPPORTED_MEDIA', ['input', 'photos', '1', 'file']]);
  assert.deepEqual(await connect()(UPLOAD_ONE, { file: one }), { codes: ['UNAUTHENTICATED'] });

  const photoIds = [...photos, ...uploadPhotos.photos].map((photo) => photo.id);
  const { deletePhotos } = (await mutate(DELETE, { input: { photoIds } })).data;
  assert.deepEqual(deletePhotos, { deletedPhotoIds: photoIds, userErrors: [] });
  for (const { thumbnail } of photos) assert.equal((await fetch(thumbnail.url)).status, 404);
}

/** A picture arrives by its URL, without a token, as large as it is said to be. */
async function isServed({ url: link, contentType, byteSize }) {
  const response = await fetch(link);
  assert.equal(response.status, 200, link);
  assert.equal(response.headers.get('content-type'), contentType);
  assert.equal((await response.arrayBuffer()).byteLength, byteSize);
}

async function signUp() {
  const input = { username: `client-${randomBytes(6).toString('hex')}`, password: 'correct horse battery' };
  const body = JSON.stringify({ query: SIGN_UP, variables: { input } });
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  return (await response.json()).data.signUp.tokens.accessToken;
}

/** A PNG of noise. */
function picture(width, height) {
  const chunk = (type, body) => {
    const framed = Buffer.alloc(body.length + 12);
    framed.writeUInt32BE(body.length);
    framed.write(type, 4, 'latin1');
    body.copy(framed, 8);
    framed.writeUInt32BE(crc32(framed.subarray(4, -4)), body.length + 8);
    return framed;
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Each line begins with its filter: none.
  const lines = Array.from({ length: height }, () => Buffer.concat([Buffer.from([0]), randomBytes(width * 3)]));
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.concat(lines))), chunk('IEND', Buffer.alloc(0))];
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return new File([signature, ...parts], 'noise.png', { type: 'image/png' });
}

/** The variables with null for each file, which goes to `files` with its place. */
function withoutFiles(value, place, files) {
  if (value instanceof Blob) {
    files.push({ place, file: value });
    return null;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, part]) => [name, withoutFiles(part, `${place}.${name}`, files)]);
  return Array.isArray(value) ? entries.map(([, part]) => part) : Object.fromEntries(entries);
}

/** Without what Apollo adds for its cache. */
function plain(data) {
  return JSON.parse(JSON.stringify(data, (name, value) => (name === '__typename' ? undefined : value)));
}

function bearer(token) {
  return token ? { authorization: `Bearer ${token}` } : {};
}

function codes(errors) {
  return errors.map((error) => error.extensions?.code);
}
