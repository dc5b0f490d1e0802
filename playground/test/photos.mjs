// The photos of the tour: chosen, uploaded, published, seen, hidden and deleted.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { click, execute, run, send, shows, storedSessions, url, write } from './page.mjs';

const PUBLISH = 'mutation Publish($ids: [ID!]!) { publishPhotos(input: { photoIds: $ids }) { userErrors { code } } }';
const UNPUBLISH = 'mutation Unpublish($ids: [ID!]!) { unpublishPhotos(input: { photoIds: $ids }) { userErrors { code } } }';

export async function photos(page) {
  const tag = `tour${randomBytes(4).toString('hex')}`;
  await refusals(page);
  const [first, second, third] = await upload(page, tag);

  const drafts = (await run(page, 'MyPhotos')).viewer;
  assert.deepEqual(drafts.photos.nodes.map((photo) => photo.id), [third, second, first]);
  assert.ok(drafts.storage.usedBytes > 0);
  await areShown(page, 3);

  // Another person would see it come as well.
  await click(page, 'WatchPhotos');
  await execute(page);
  await page.waitForFunction(() => globalThis.sockets.at(-1)?.readyState === WebSocket.OPEN);
  await publishUntilShown(page, [first]);
  await execute(page);

  const { publishPhotos } = await run(page, 'PublishPhotos', { input: { photoIds: [second, third] } });
  assert.deepEqual(publishPhotos.photos.map((photo) => photo.state), ['PUBLISHED', 'PUBLISHED']);
  const list = { tags: [tag], first: 10, after: null };
  const { nodes } = (await run(page, 'Photos', list)).photos;
  assert.deepEqual(nodes.map((photo) => photo.id), [third, second, first]);
  assert.ok(nodes.every((photo) => photo.author.username === page.person.identifier));
  await areShown(page, 6);
  if (process.env.GALLERY) await page.screenshot({ path: process.env.GALLERY });

  const { url: link } = nodes[2].small;
  assert.equal(await statusOf(link), 200);
  const edit = { photoId: first, caption: 'Only for me #mine' };
  const { editPhotos, unpublishPhotos } = await run(page, 'EditAndUnpublish', edit);
  assert.deepEqual(editPhotos.photos[0].tags, ['mine']);
  assert.equal(unpublishPhotos.photos[0].state, 'DRAFT');
  assert.equal(await statusOf(link), 404, 'the URL of a published photo works on');
  assert.equal((await run(page, 'Photos', list)).photos.nodes.length, 2);
  await areShown(page, 4);

  const all = { input: { photoIds: [first, second, third] } };
  assert.deepEqual((await run(page, 'DeletePhotos', all)).deletePhotos.deletedPhotoIds, [first, second, third]);
  assert.deepEqual((await run(page, 'MyPhotos', { state: null })).viewer.photos.nodes, []);
  await areShown(page, 0);
}

/** What the page does not even send. */
async function refusals(page) {
  await click(page, 'UploadPhotos');
  await execute(page);
  await shows(page, { errors: [{ message: 'Nothing was sent: choose a file for `input.photos.file` below the variables.' }] });
  await chooser(page).setInputFiles(await pictures(page));
  await write(page, 'Variables', { input: { photos: [{ file: null }] } });
  await execute(page);
  const message = 'Nothing was sent: 3 files chosen, but the variables have 1 place for `input.photos.file`.';
  await shows(page, { errors: [{ message }] });
  for (let left = 3; left > 0; left -= 1) await page.locator('.file-picker li button').first().click();
  assert.equal(await page.locator('.file-picker li').count(), 0);
}

/** Chooses, adds and leaves out files, and uploads three. Returns their ids. */
async function upload(page, tag) {
  await click(page, 'UploadPhotos');
  await write(page, 'Variables', { input: { photos: [{ file: null, caption: `Coats #${tag}` }] } });
  const [first, second, third] = await pictures(page);
  await chooser(page).setInputFiles([first, second, second]);
  await chooser(page).setInputFiles(third);
  await page.getByRole('button', { name: `Leave out ${second.name}` }).first().click();
  await page.waitForFunction(() => {
    const previews = [...document.querySelectorAll('.file-picker li img')];
    return previews.length === 3 && previews.every((preview) => preview.naturalWidth > 0);
  });

  const isForm = (request) => request.headers()['content-type']?.startsWith('multipart/form-data');
  const [response] = await Promise.all([page.waitForResponse((answer) => isForm(answer.request())), execute(page)]);
  assert.equal(response.request().headers()['apollo-require-preflight'], 'true');
  const answer = await response.json();
  await shows(page, answer);
  const { photos, userErrors } = answer.data.uploadPhotos;
  assert.deepEqual(userErrors, []);
  const seen = photos.map(({ state, tags, image: { width, height } }) => [state, tags.join(), width, height].join(' '));
  // Each file became the photo of its place, and each place got the caption of the only one there was.
  assert.deepEqual(seen, [`DRAFT ${tag} 320 200`, `DRAFT ${tag} 240 240`, `DRAFT ${tag} 213 320`]);
  await areShown(page, 3);
  return photos.map((photo) => photo.id);
}

function chooser(page) {
  return page.locator('.file-picker input');
}

/** Three pictures, as files: a JPEG, a PNG with transparency and a WebP. */
function pictures(page) {
  return page.evaluate(async () => {
    const draw = async (name, type, width, height, [one, other], round) => {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext('2d');
      const colors = context.createLinearGradient(0, 0, width, height);
      colors.addColorStop(0, one);
      colors.addColorStop(1, other);
      context.fillStyle = colors;
      if (round) context.arc(width / 2, height / 2, width / 2, 0, 2 * Math.PI);
      else context.rect(0, 0, width, height);
      context.fill();
      context.fillStyle = '#fffc';
      for (let coat = 1; coat < 6; coat += 1) context.fillRect((coat * width) / 6 - 8, height / 4, 16, height / 2);
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type })).arrayBuffer());
      return { name, mimeType: type, base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')) };
    };
    return [
      await draw('coats.jpg', 'image/jpeg', 800, 500, ['#d64292', '#4f2d7f'], false),
      await draw('button.png', 'image/png', 240, 240, ['#1f8a70', '#bedb39'], true),
      await draw('umbrella.webp', 'image/webp', 400, 600, ['#0b486b', '#f56991'], false),
    ];
  }).then((files) => files.map(({ base64, ...file }) => ({ ...file, buffer: Buffer.from(base64, 'base64') })));
}

/** Publishes beside the page. A subscription may have begun a moment too late for that: it is tried again then. */
async function publishUntilShown(page, ids) {
  const [{ accessToken }] = await storedSessions(page);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await send(PUBLISH, { ids }, accessToken);
    const there = page.locator('.gallery img').waitFor({ timeout: 3_000 }).then(() => true, () => false);
    if (await there) return areShown(page, 1);
    await send(UNPUBLISH, { ids }, accessToken);
  }
  throw new Error('no photo comes by the subscription');
}

/** So many pictures are below the answer, and really there. */
async function areShown(page, count) {
  const state = () => page.locator('.gallery img').evaluateAll((images) => images.map((image) => image.naturalWidth));
  await page.waitForFunction((wanted) => {
    const images = [...document.querySelectorAll('.gallery img')];
    return images.length === wanted && images.every((image) => image.complete && image.naturalWidth > 0);
  }, count).catch(async () => {
    throw new Error(`of ${count} pictures these widths are shown: ${JSON.stringify(await state())}`);
  });
}

/** What the server answers to the URL of a picture, without a token. */
async function statusOf(link) {
  const { pathname, search } = new URL(link);
  return (await fetch(new URL(pathname + search, url))).status;
}
