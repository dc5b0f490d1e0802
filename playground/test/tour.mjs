// Takes the tour of the playground in a browser, as a newcomer would.
//
//   CLOAKROOM_URL  a running Cloakroom (http://127.0.0.1:8000)
//   CHROMIUM       the browser to use (/usr/bin/chromium)
//   SCREENSHOT     where to save a picture of the playground, if anywhere

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chromium } from 'playwright-core';

const url = new URL(process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(20_000);
  const complaints = watch(page);
  await tour(page);
  assert.deepEqual(complaints, [], 'the browser complains');
  console.log(`The tour of ${url.origin} went well.`);
} catch (error) {
  console.error(`The tour of ${url.origin} failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}

/** Collects what must not happen. Violations of the CSP are console errors. */
function watch(page) {
  const complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (origin !== url.origin && protocol !== 'data:') {
      complaints.push(`left the origin: ${request.url()}`);
    }
  });
  return complaints;
}

async function tour(page) {
  const username = `tourist${randomBytes(4).toString('hex')}`;
  const email = `${username}@example.com`;
  const password = randomBytes(12).toString('hex');
  const badge = page.locator('.session-badge');

  const schema = await answerTo(page, 'IntrospectionQuery', () => page.goto(url.href));
  assert.ok(schema.data?.__schema, 'the playground got no schema');
  assert.equal(await page.title(), 'Cloakroom');
  await badge.filter({ hasText: 'Signed out' }).waitFor();

  const { server } = await run(page, 'Welcome');
  assert.ok(server.version, 'the server tells no version');

  const { signUp } = await run(page, 'SignUp', { input: { email, username, password } });
  assert.deepEqual(signUp.userErrors, []);
  assert.equal(signUp.user.username, username);
  await badge.filter({ hasText: `Signed in as ${username}` }).waitFor();

  assert.equal((await run(page, 'Next')).next.value, 1);
  assert.equal((await run(page, 'Next')).next.value, 2);
  assert.equal((await run(page, 'Current')).current, 2);

  const { setCurrent } = await run(page, 'SetCurrent');
  assert.deepEqual(setCurrent.userErrors, []);
  assert.equal(setCurrent.previous, 2);
  assert.equal(setCurrent.counter.current, 41);
  assert.equal((await run(page, 'Next')).next.value, 42);

  const { viewer } = await run(page, 'Viewer');
  assert.equal(viewer.user.email, email);
  assert.equal(viewer.counter.current, 42);
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });

  assert.equal((await run(page, 'Logout')).logout.endedSessions, 1);
  await badge.filter({ hasText: 'Signed out' }).waitFor();
  assert.equal((await run(page, 'Viewer')).viewer, null);

  const { login } = await run(page, 'Login', { input: { identifier: email, password } });
  assert.deepEqual(login.userErrors, []);
  await badge.filter({ hasText: `Signed in as ${username}` }).waitFor();
  await badge.getByRole('button', { name: 'Sign out' }).click();
  await badge.filter({ hasText: 'Signed out' }).waitFor();
}

/** Runs a tab and returns the data of the answer, which the response pane must show. */
async function run(page, tab, variables) {
  await page.getByRole('tab').getByText(tab, { exact: true }).click();
  // GraphiQL takes up the operation of a tab a tenth of a second after opening it.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
  if (variables) await write(page, variables);

  const answer = await answerTo(page, tab, () => page.locator('.graphiql-execute-button').click());
  assert.equal(answer.errors, undefined, `${tab} answers ${JSON.stringify(answer)}`);
  await page.waitForFunction(isShown, JSON.stringify(answer)).catch(() => {
    throw new Error(`the response pane does not show ${JSON.stringify(answer)}`);
  });
  return answer.data;
}

/** The answer to an operation, which `act` makes the page send. */
async function answerTo(page, operation, act) {
  const isAnswer = (response) => response.request().postDataJSON()?.operationName === operation;
  try {
    const [response] = await Promise.all([page.waitForResponse(isAnswer), act()]);
    return await response.json();
  } catch (error) {
    throw new Error(`no answer to ${operation}: ${error.message}`);
  }
}

/** Replaces the variables of the open tab. */
async function write(page, variables) {
  await page.locator('[aria-label="Variables"] .monaco-editor').first().click();
  await page.keyboard.press('ControlOrMeta+A');
  // Typed over a selection, the opening bracket would surround it.
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(JSON.stringify(variables));
}

/** In the page: whether the response pane shows `text`, however it is laid out. */
function isShown(text) {
  const top = (line) => Number.parseFloat(line.style.top);
  const shown = [...document.querySelectorAll('.result-window .view-line')]
    .sort((one, other) => top(one) - top(other))
    .map((line) => line.textContent)
    .join('');
  return shown.replace(/\s/g, '') === text.replace(/\s/g, '');
}
