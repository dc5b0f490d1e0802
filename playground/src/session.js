// Who is signed in: { accessToken, refreshToken, username }, or null.
//
// Two browser tabs can be two different people, which is how one tries out an
// API with accounts: which session is a tab's own stands in sessionStorage. The
// tokens are in localStorage, since a tab can be duplicated. Both tabs then have
// one session, and must not refresh it with two tokens of different age.
const TAB = 'cloakroom:tab';
const SESSION = 'cloakroom:session:';
const FORGOTTEN_AFTER = 24 * 60 * 60 * 1000;

const listeners = new Set();
let key = sessionStorage.getItem(TAB);
let text = null;
let session = null;

forgetOldTabs();
read();
addEventListener('storage', (event) => {
  if (event.key === key) notify();
});

/** As it is now, whichever tab changed it. The same object as long as it is the same. */
export function currentSession() {
  read();
  return session;
}

/** Somebody has signed in here: from now on, this is another session than that of any other tab. */
export function signIn(tokens, username = null) {
  key = SESSION + Array.from(crypto.getRandomValues(new Uint32Array(4))).join('-');
  sessionStorage.setItem(TAB, key);
  write(tokens, username);
}

/** The session of `sent` goes on with other tokens. */
export function renew(sent, tokens) {
  if (currentSession()?.accessToken === sent) write(tokens, session.username);
}

/** Forgets both tokens, unless `sent` is no longer the session's. */
export function forget(sent) {
  if (currentSession()?.accessToken !== sent) return;
  localStorage.removeItem(key);
  read();
  notify();
}

export function onSessionChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function write({ accessToken, refreshToken }, username) {
  localStorage.setItem(key, JSON.stringify({ accessToken, refreshToken, username, at: Date.now() }));
  read();
  notify();
}

function read() {
  const stored = key && localStorage.getItem(key);
  if (stored === text) return;
  text = stored;
  session = JSON.parse(stored);
}

/** Nobody tells when a tab is closed for good; its tokens are of no use after that. */
function forgetOldTabs() {
  for (const name of Object.keys(localStorage)) {
    if (!name.startsWith(SESSION) || name === key) continue;
    const { at } = JSON.parse(localStorage.getItem(name));
    if (Date.now() - at > FORGOTTEN_AFTER) localStorage.removeItem(name);
  }
}

function notify() {
  for (const listener of listeners) listener();
}
