// Takes the tour of the playground in a browser, as a newcomer would.
//
//   CLOAKROOM_URL  a running Cloakroom (http://127.0.0.1:8000)
//   CHROMIUM       the browser to use (/usr/bin/chromium)
//   SCREENSHOT     where to save a picture of the playground, if anywhere
//   GALLERY        where to save one of the pictures that were uploaded, if anywhere
//   MAIL_DIR       the `mail` folder of its data directory, to follow the links in mails; not followed without

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { answerTo, click, execute, isShown, operationNameOf, run, runAny, send, shows, storedSessions, url, write } from './page.mjs';
import { photos } from './photos.mjs';

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
  context.setDefaultTimeout(120_000);
  await context.addInitScript(keepSockets);
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
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== url.host) complaints.push(`left the origin: ${socket.url()}`);
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
  await watchCounter(page);

  const { setCurrent } = await run(page, 'SetCurrent');
  assert.deepEqual(setCurrent.userErrors, []);
  assert.equal(setCurrent.previous, 5);
  assert.equal(setCurrent.counter.current, 41);
  assert.equal((await run(page, 'Next')).next.value, 42);

  const { viewer } = await run(page, 'Viewer');
  assert.equal(viewer.user.email, email);
  assert.equal(viewer.counter.current, 42);
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });

  await photos(page);
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

/** A number that is taken elsewhere appears, and goes on appearing when the token is replaced. */
async function watchCounter(page) {
  const sockets = () => page.evaluate(() => globalThis.sockets.map((socket) => socket.readyState));
  const [OPEN, CLOSED] = [1, 3];
  assert.deepEqual(await sockets(), [], 'no socket is opened before it is needed');

  const [first] = await storedSessions(page);
  const { viewer } = await send('{ viewer { counter { id } } }', {}, first.accessToken);
  const showsNumber = (current) => shows(page, { data: { counter: { ...viewer.counter, name: 'default', current } } });
  await click(page, 'WatchCounter');
  await execute(page);
  await showsNumber(2);
  await take(first, 3);
  await showsNumber(3);

  // The warning of a server whose token is about to expire: the tokens are replaced over the same socket.
  await page.evaluate(() => {
    const data = JSON.stringify({ type: 'ping', payload: { warning: 'The token expires soon.' } });
    globalThis.sockets[0].dispatchEvent(new MessageEvent('message', { data }));
  });
  await page.waitForFunction((stale) => !JSON.stringify(localStorage).includes(stale), first.accessToken);
  const [second] = await storedSessions(page);
  await take(second, 4);
  await showsNumber(4);
  assert.deepEqual(await sockets(), [OPEN]);

  // The token ends: another one, and another socket.
  await endAccessToken(second);
  await page.waitForFunction((stale) => !JSON.stringify(localStorage).includes(stale), second.accessToken);
  const [third] = await storedSessions(page);
  await take(third, 5);
  await showsNumber(5);
  assert.deepEqual(await sockets(), [CLOSED, OPEN]);

  // The button stops what it has started.
  await execute(page);
  await page.waitForFunction(() => globalThis.sockets.every((socket) => socket.readyState === WebSocket.CLOSED));

  await write(page, 'Headers', { Authorization: 'Bearer crk_wrong' });
  await execute(page);
  const message = 'The connection was closed: 4403 Forbidden: the token is not valid.';
  await shows(page, { errors: [{ message, extensions: { closeCode: 4403 } }] });
  assert.deepEqual(await sockets(), [CLOSED, CLOSED, CLOSED], 'a token that was written by hand is tried once');
  assert.deepEqual(await storedSessions(page), [third], 'and ends no session');
}

/** Takes a number beside the page. */
async function take({ accessToken }, value) {
  assert.deepEqual(await send('mutation { next { value } }', {}, accessToken), { next: { value } });
}

/** In the page: keeps the WebSockets at hand. */
function keepSockets() {
  globalThis.sockets = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...details) {
      super(...details);
      globalThis.sockets.push(this);
    }
  };
}

async function apiKeys(page) {
  const limits = { name: 'cash desk', scopes: ['COUNTERS_NEXT'], counter: 'default' };
  const input = { password: page.person.password, ...limits };
  const { createApiKey } = await run(page, 'CreateApiKey', { input });
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
  const { id } = sessions.find((session) => !session.isCurrent);
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
  const isRefresh = (request) => operationNameOf(request) === 'RefreshTokens';
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
  const isViewer = async (response) => response.ok() && operationNameOf(response.request()) === 'Viewer';
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
