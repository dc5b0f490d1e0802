// Who is signed in: { token, username }, or null.
//
// Kept in sessionStorage rather than localStorage: a reload keeps the session,
// closing the browser tab drops the token, and two browser tabs can be two
// different people, which is how one tries out an API with accounts.
const KEY = 'cloakroom:session';

const listeners = new Set();
let session = JSON.parse(sessionStorage.getItem(KEY));

export function currentSession() {
  return session;
}

export function remember(token, username = null) {
  session = { token, username };
  sessionStorage.setItem(KEY, JSON.stringify(session));
  notify();
}

/** Forgets `token`, unless a newer one has taken its place meanwhile. */
export function forget(token) {
  if (session?.token !== token) return;
  session = null;
  sessionStorage.removeItem(KEY);
  notify();
}

export function onSessionChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function notify() {
  for (const listener of listeners) listener();
}
