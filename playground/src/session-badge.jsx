import { useSyncExternalStore } from 'react';
import { fetcher } from './fetcher.js';
import { currentSession, forget, onSessionChange } from './session.js';

export function SessionBadge() {
  const session = useSyncExternalStore(onSessionChange, currentSession);

  if (!session) return <span className="session-badge">Signed out</span>;

  const { accessToken, username } = session;
  return (
    <span className="session-badge signed-in">
      Signed in{username && <> as <b title={username}>{username}</b></>}
      <button type="button" onClick={() => signOut(accessToken)}>Sign out</button>
    </span>
  );
}

async function signOut(accessToken) {
  try {
    await fetcher({ query: 'mutation SignOut { logout { endedSessions } }', operationName: 'SignOut' });
  } catch {
    // Out of reach, the server keeps the session until it expires.
  } finally {
    // The token may have been replaced on the way.
    forget(currentSession()?.accessToken ?? accessToken);
  }
}
