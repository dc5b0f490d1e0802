// A client of Cloakroom in plain JavaScript, on Node's own `fetch`: sign up, log in, change the password, refresh,
// log out. Copy from it what you need: the first half is the client, the second half uses it.
//
//   node examples/fetch/main.js [URL]      URL, or CLOAKROOM_URL: http://127.0.0.1:8000/graphql

'use strict';
const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');

const url = process.argv[2] ?? process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

// --- The client -----------------------------------------------------------------------------------------------------

/**
 * An error of the server: `code` is for the program, the message for a person. `data` is set if the
 * operation ran: the field that failed is null in it, and the other fields have their results.
 */
class Refused extends Error {
  constructor(code, message, { retryAfterSeconds, data } = {}) {
    super(`${code}: ${message}`);
    Object.assign(this, { code, retryAfterSeconds, data });
  }
}

/** Runs one operation and returns its `data`. What a person can correct is in there too, in `userErrors`. */
async function graphql(query, variables, token) {
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const body = JSON.stringify({ query, variables });
  const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(30_000) });

  // A proxy in between may answer with something else than JSON.
  const { data, errors } = await response.json().catch(() => ({}));
  if (data && !errors) return data;
  const { message, extensions } = errors?.[0] ?? {};
  const retryAfterSeconds = Number(response.headers.get('Retry-After')) || undefined;
  const code = extensions?.code ?? `HTTP_${response.status}`;
  throw new Refused(code, message ?? response.statusText, { retryAfterSeconds, data });
}

/** The tokens of the session: keep them where your users' secrets are. Null when nobody is signed in. */
let tokens = null;
let refreshing = null;

/** The same as `graphql`, for whoever is signed in; an access token that has expired is replaced on the way. */
async function signedIn(query, variables) {
  const sent = tokens?.accessToken;
  try {
    return await graphql(query, variables, sent);
  } catch (error) {
    if (error.code !== 'UNAUTHENTICATED' || didSomething(error.data) || !tokens) throw error;
    // Of many operations that find the token expired, one refreshes; the others wait for it.
    if (sent === tokens.accessToken) await (refreshing ??= refresh().finally(() => { refreshing = null; }));
    // Every field was refused, so that the operation can safely be sent again.
    return graphql(query, variables, tokens.accessToken);
  }
}

/** True if a field of the operation has a result: fields that need no caller ignore an expired token. */
const didSomething = (data) => Object.values(data ?? {}).some((field) => field !== null);

/** Replaces the tokens. Only `userErrors` mean that the session has ended. RATE_LIMITED (429), UNAVAILABLE and a
 *  broken network are thrown by `graphql` and leave the tokens as they are: the same refresh may be tried again. */
async function refresh() {
  const input = { refreshToken: tokens.refreshToken };
  const { refreshTokens } = await graphql(REFRESH_TOKENS, { input });
  tokens = refreshTokens.tokens;
  if (!tokens) throw new Refused(refreshTokens.userErrors[0].code, refreshTokens.userErrors[0].message);
  return refreshTokens;
}

// --- The operations -------------------------------------------------------------------------------------------------

const TOKENS = 'tokens { accessToken refreshToken expiresIn }';
const USER_ERRORS = 'userErrors { code field message }';
const SIGN_UP = `mutation SignUp($input: SignUpInput!) { signUp(input: $input) { user { username } ${USER_ERRORS} } }`;
const LOGIN = `mutation Login($input: LoginInput!) {
  login(input: $input) { user { username } ${TOKENS} ${USER_ERRORS} }
}`;
const CHANGE_PASSWORD = `mutation ChangePassword($input: ChangePasswordInput!) {
  changePassword(input: $input) { user { username } ${USER_ERRORS} }
}`;
const REFRESH_TOKENS = `mutation Refresh($input: RefreshTokensInput!) {
  refreshTokens(input: $input) { ${TOKENS} ${USER_ERRORS} }
}`;
const LOGOUT = 'mutation Logout($input: LogoutInput) { logout(input: $input) { endedSessions } }';
const VIEWER = 'query Viewer { viewer { user { username } session { deviceName isCurrent } } }';

// --- Its use --------------------------------------------------------------------------------------------------------

async function main() {
  const username = `sample-${randomBytes(6).toString('hex')}`;
  const [password, newPassword] = [randomBytes(12).toString('hex'), randomBytes(12).toString('hex')];

  const { signUp } = await graphql(SIGN_UP, { input: { username, password } });
  print('sign up', signUp);
  assert.deepEqual(signUp, { user: { username }, userErrors: [] });

  const { login } = await graphql(LOGIN, { input: { identifier: username, password, deviceName: 'fetch example' } });
  print('log in', login);
  assert.deepEqual(login.userErrors, []);
  tokens = login.tokens;

  const change = { currentPassword: password, newPassword };
  const { changePassword } = await signedIn(CHANGE_PASSWORD, { input: change });
  print('change the password', changePassword);
  assert.deepEqual(changePassword, { user: { username }, userErrors: [] });

  const { login: refused } = await graphql(LOGIN, { input: { identifier: username, password } });
  print('log in with the old password', refused);
  assert.deepEqual([refused.tokens, refused.userErrors[0].code], [null, 'WRONG_CREDENTIALS']);

  const refreshed = await refresh();
  print('refresh', refreshed);
  assert.notEqual(refreshed.tokens.refreshToken, login.tokens.refreshToken);

  // Ends the access token alone, as time would. What is asked next refreshes by itself, once for both questions.
  print('let the access token end', await signedIn(LOGOUT, { input: { scope: 'ACCESS_TOKEN' } }));
  const [{ viewer }, again] = await Promise.all([signedIn(VIEWER), signedIn(VIEWER)]);
  print('who am I', viewer);
  assert.deepEqual(viewer, { user: { username }, session: { deviceName: 'fetch example', isCurrent: true } });
  assert.deepEqual(again, { viewer });
  assert.notEqual(tokens.refreshToken, refreshed.tokens.refreshToken);

  const { logout } = await signedIn(LOGOUT);
  print('log out', logout);
  assert.equal(logout.endedSessions, 1);

  // Both tokens are worthless from that moment on.
  const late = await graphql(VIEWER, {}, tokens.accessToken).catch((error) => error);
  print('the access token after that', late);
  assert.equal(late.code, 'UNAUTHENTICATED');
  const later = await refresh().catch((error) => error);
  print('the refresh token after that', later);
  assert.deepEqual([later.code, tokens], ['EXPIRED', null]);
}

/** Prints an answer on one line, with the tokens shortened. */
function print(step, answer) {
  const shorten = (key, value) => (/Token$/.test(key) ? `${value.slice(0, 8)}…` : value);
  console.log(`${step}: ${answer instanceof Error ? answer.message : JSON.stringify(answer, shorten)}`);
}

main().then(
  () => console.log('Every answer was as expected.'),
  (error) => {
    console.error(`${url}: ${error.cause?.message ?? error.message}`);
    process.exitCode = 1;
  },
);
