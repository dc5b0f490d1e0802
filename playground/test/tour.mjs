// Takes the tour of the playground in a browser, as a newcomer would.
//
//   CLOAKROOM_URL  a running Cloakroom (http://127.0.0.1:8000)
//   CHROMIUM       the browser to use (/usr/bin/chromium)
//   SCREENSHOT     where to save a picture of the playground, if anywhere
//   MAIL_DIR       the `mail` folder of its data directory, to follow the links in mails; not followed without

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const url = new URL(process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000');

const LOGIN = 'mutation Login($input: LoginInput!) { login(input: $input) { userErrors { code } } }';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
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

/** Collects what must not happen. Violations of the CSP are console errors, and so are refusals, unless they are
 *  `expected`. */
function watch(page) {
  const complaints = [];
  page.expected = [];
  page.on('console', (message) => {
    if (message.type() !== 'error') return;
    const status = Number(/status of (\d+)/.exec(message.text())?.[1]);
    const index = page.expected.indexOf(status);
    if (index >= 0) page.expected.splice(index, 1);
    else complaints.push(`console: ${message.text()}`);
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
  page.person = { identifier: username, password };

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

  await apiKeys(page);
  await sessions(page);
  await expiry(page);
  await mailsAndPasswords(page, { email, username, password });
  await others(page, username);

  assert.equal((await run(page, 'Logout')).logout.endedSessions, 1);
  await badge.filter({ hasText: 'Signed out' }).waitFor();
  assert.deepEqual(await storedSessions(page), [], 'a logout forgets both tokens');
  assert.equal((await run(page, 'Viewer')).viewer, null);
}

async function apiKeys(page) {
  const { createApiKey } = await run(page, 'CreateApiKey');
  assert.deepEqual(createApiKey.userErrors, []);
  assert.ok(createApiKey.secret.startsWith('crk_'));
  const { id } = createApiKey.apiKey;
  const key = { Authorization: `Bearer ${createApiKey.secret}` };

  assert.equal((await run(page, 'UseApiKey', key, 'Headers')).next.value, 43);
  assert.deepEqual((await run(page, 'ApiKeys')).viewer.apiKeys.map((one) => one.id), [id]);
  assert.deepEqual((await run(page, 'RevokeApiKey', { input: { apiKeyId: id } })).revokeApiKey.userErrors, []);
  page.expected.push(401);
  const { errors } = await runAny(page, 'UseApiKey');
  assert.equal(errors[0].extensions.code, 'UNAUTHENTICATED');
  assert.equal((await storedSessions(page)).length, 1, 'a key that is refused ends no session');
}

async function sessions(page) {
  const elsewhere = await send(LOGIN, { input: page.person });
  assert.deepEqual(elsewhere.login.userErrors, []);
  const { sessions } = (await run(page, 'Sessions')).viewer;
  assert.equal(sessions.length, 2);
  const { id } = sessions.find((session) => !session.current);
  assert.deepEqual((await run(page, 'EndSession', { input: { sessionId: id } })).endSession.userErrors, []);
  assert.equal((await run(page, 'Sessions')).viewer.sessions.length, 1);

  const kinds = (await run(page, 'AuditLog')).viewer.events.nodes.map((event) => event.kind);
  assert.deepEqual(kinds.slice(0, 4), ['SESSION_ENDED', 'LOGGED_IN', 'API_KEY_REVOKED', 'API_KEY_CREATED']);
}

/** The access token ends: the page gets another by itself, once for all its tabs, and never loses the session. */
async function expiry(page) {
  const [first] = await storedSessions(page);
  await endAccessToken(first);

  // Too many refreshes are refused, and no reason to sign in again.
  const refusal = { errors: [{ message: 'Too many.', extensions: { code: 'RATE_LIMITED' } }] };
  const isRefresh = (request) => request.postDataJSON()?.operationName === 'RefreshTokens';
  await page.route('**/graphql', (route) => (isRefresh(route.request())
    ? route.fulfill({ status: 429, headers: { 'Retry-After': '1' }, json: refusal })
    : route.fallback()));
  page.expected.push(401, 429);
  await click(page, 'Viewer');
  await execute(page);
  await page.waitForFunction(isShown, JSON.stringify(refusal));
  await page.unroute('**/graphql');
  assert.deepEqual(await storedSessions(page), [first], 'a rate limit leaves both tokens');

  // A duplicated tab has the same session. Both find out at the same time.
  const [twin] = await Promise.all([page.context().waitForEvent('page'), page.evaluate(() => { open(location.href); })]);
  twin.person = page.person;
  const complaints = watch(twin);
  await twin.locator('.session-badge').filter({ hasText: `Signed in as ${page.person.identifier}` }).waitFor();
  await click(twin, 'Viewer');
  await click(page, 'Viewer');
  let refreshes = 0;
  page.context().on('request', (request) => { refreshes += isRefresh(request) ? 1 : 0; });
  page.expected.push(401);
  twin.expected.push(401);
  const isViewer = async (response) => response.ok() && response.request().postDataJSON()?.operationName === 'Viewer';
  const answers = await Promise.all([page, twin].flatMap((one) => [one.waitForResponse(isViewer), execute(one)]));
  for (const answer of [answers[0], answers[2]]) {
    assert.equal((await answer.json()).data.viewer.user.username, page.person.identifier);
  }
  assert.equal(refreshes, 1, 'two tabs refresh once');
  const [second] = await storedSessions(page);
  assert.notEqual(second.accessToken, first.accessToken);
  assert.deepEqual(complaints, []);
  await twin.close();
}

/** Ends an access token alone, as time would. */
async function endAccessToken({ accessToken }) {
  const { logout } = await send('mutation { logout(input: { scope: ACCESS_TOKEN }) { endedSessions } }', {}, accessToken);
  assert.equal(logout.endedSessions, 0);
}

async function mailsAndPasswords(page, { email, username, password }) {
  const badge = page.locator('.session-badge');
  const wrong = await run(page, 'VerifyEmail', { input: { token: 'wrong' } });
  assert.equal(wrong.verifyEmail.userErrors[0].code, 'INVALID');
  if (process.env.MAIL_DIR) {
    const token = await tokenFor(email, 'verify-email');
    assert.equal((await run(page, 'VerifyEmail', { input: { token } })).verifyEmail.user.email, email);
  }

  const second = randomBytes(12).toString('hex');
  const change = { input: { currentPassword: password, newPassword: second } };
  assert.deepEqual((await run(page, 'ChangePassword', change)).changePassword.userErrors, []);
  assert.equal((await run(page, 'ForgotPassword', { input: { email } })).requestPasswordReset.accepted, true);

  let last = second;
  if (process.env.MAIL_DIR) {
    last = randomBytes(12).toString('hex');
    const token = await tokenFor(email, 'reset-password');
    const reset = await run(page, 'ResetPassword', { input: { token, newPassword: last } });
    assert.equal(reset.resetPassword.user.username, username);
    // That ended the session, as the page finds out when it asks for new tokens.
    page.expected.push(401);
    await click(page, 'Viewer');
    await execute(page);
    await badge.filter({ hasText: 'Signed out' }).waitFor();
  } else {
    await badge.getByRole('button', { name: 'Sign out' }).click();
    await badge.filter({ hasText: 'Signed out' }).waitFor();
  }
  const { login } = await run(page, 'Login', { input: { identifier: email, password: last } });
  assert.deepEqual(login.userErrors, []);
  await badge.filter({ hasText: `Signed in as ${username}` }).waitFor();
}

async function others(page, username) {
  const { users } = await run(page, 'Users', { first: 10, search: username });
  assert.deepEqual([users.totalCount, users.nodes[0].username], [1, username]);
  const { errors } = await runAny(page, 'SuspendUser', { input: { userId: users.nodes[0].id } });
  assert.equal(errors[0].extensions.code, 'FORBIDDEN', 'the tourist is no administrator');
}

/** Runs an operation beside the page. */
async function send(query, variables, token) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const body = JSON.stringify({ query, variables });
  return (await (await fetch(new URL('/graphql', url), { method: 'POST', headers, body })).json()).data;
}

/** The tokens that the page keeps. */
function storedSessions(page) {
  return page.evaluate(() => Object.keys(localStorage)
    .filter((name) => name.startsWith('cloakroom:session:'))
    .map((name) => JSON.parse(localStorage.getItem(name))));
}

/** The token of the newest link to `path` that was sent to `email`. Mails are on their way for a moment. */
async function tokenFor(email, path) {
  const link = new RegExp(`/${path}#token=([\\w-]+)`);
  for (let attempt = 0; attempt < 100; attempt += 1) {
    for (const name of readdirSync(process.env.MAIL_DIR).filter((one) => one.endsWith('.eml')).sort().reverse()) {
      // Quoted-printable: `=` at the end of a line joins it with the next, `=3D` is the sign itself.
      const mail = readFileSync(join(process.env.MAIL_DIR, name), 'utf8').replace(/=\r?\n/g, '').replace(/=3D/g, '=');
      const token = mail.includes(`To: ${email}`) && link.exec(mail)?.[1];
      if (token) return token;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no mail with a link to ${path} for ${email} in ${process.env.MAIL_DIR}`);
}

/** Runs a tab that must succeed, and returns the data of the answer. */
async function run(page, tab, written, editor) {
  const answer = await runAny(page, tab, written, editor);
  assert.equal(answer.errors, undefined, `${tab} answers ${JSON.stringify(answer)}`);
  return answer.data;
}

/** Runs a tab and returns the answer, which the response pane must show. */
async function runAny(page, tab, written, editor = 'Variables') {
  await click(page, tab);
  if (written) await write(page, editor, written);
  const answer = await answerTo(page, tab, () => execute(page));
  await page.waitForFunction(isShown, JSON.stringify(answer)).catch(() => {
    throw new Error(`the response pane does not show ${JSON.stringify(answer)}`);
  });
  return answer;
}

async function click(page, tab) {
  await page.getByRole('tab').getByText(tab, { exact: true }).click();
  // GraphiQL takes up the operation of a tab a tenth of a second after opening it.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
}

function execute(page) {
  return page.locator('.graphiql-execute-button').click();
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

/** Replaces the variables or headers of the open tab. */
async function write(page, editor, value) {
  await page.getByRole('button', { name: editor, exact: true }).click();
  await page.locator(`[aria-label="${editor}"] .monaco-editor:visible`).first().click();
  await page.keyboard.press('ControlOrMeta+A');
  // Typed over a selection, the opening bracket would surround it.
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(JSON.stringify(value));
}

/** In the page: whether the response pane shows `text`, however it is laid out; of a long one, its beginning. */
function isShown(text) {
  const top = (line) => Number.parseFloat(line.style.top);
  const shown = [...document.querySelectorAll('.result-window .view-line')]
    .sort((one, other) => top(one) - top(other))
    .map((line) => line.textContent)
    .join('');
  const [got, wanted] = [shown, text].map((one) => one.replace(/\s/g, ''));
  return got === wanted || (got.length > 600 && wanted.startsWith(got));
}
