import { createClient } from 'graphql-ws';
import { refresh } from './refresh.js';
import { currentSession } from './session.js';

/** The close code for a token that the server does not, or no longer, take. */
const FORBIDDEN = 4403;
const RETRIES = 5;
/** A token that is short-lived beyond all measure must not be replaced all the time. */
const RENEWED_EVERY = 5_000;

/**
 * Runs a subscription over a WebSocket of its own, which is opened when GraphiQL
 * begins to listen, and closed when it stops. An `authorization` that was
 * written by hand wins over the session.
 */
export function subscribe(operation, authorization) {
  return { subscribe: (sink) => listen(operation, authorization, sink) };
}

function listen(operation, authorization, sink) {
  // The session's token by which the server knows this socket.
  let sent = null;
  let renewedAt = 0;
  let refused = false;
  let problem = null;

  const client = createClient({
    url: `${location.origin.replace(/^http/, 'ws')}/graphql`,
    retryAttempts: RETRIES,
    retryWait: (retries) => pause(refused ? 0 : 500 * 2 ** retries),
    async connectionParams() {
      if (authorization) return { Authorization: authorization };
      if (refused) problem = await refresh(sent);
      if (problem) throw new Error('There is no other token.');
      refused = false;
      sent = currentSession()?.accessToken;
      return sent && { Authorization: `Bearer ${sent}` };
    },
    shouldRetry(event) {
      refused = event.code === FORBIDDEN;
      const again = refused ? sent && !authorization : !(event instanceof Error);
      if (again && !refused) sink.next(failure(`${reasonOf(event)} Connecting again…`, event.code));
      return again;
    },
    on: {
      ping(received, payload) {
        if (!received || !payload?.warning || !sent || Date.now() - renewedAt < RENEWED_EVERY) return;
        renewedAt = Date.now();
        renew().catch(giveWay);
      },
    },
  });

  /** Goes on with other tokens, before the server ends the socket for the age of this one. */
  async function renew() {
    const stale = currentSession()?.accessToken;
    if (stale && !(await refresh(stale, (mutation) => sendOnce(client, mutation)))) {
      sent = currentSession()?.accessToken;
    }
  }

  const unsubscribe = client.subscribe(operation, {
    next: (result) => sink.next(result),
    error(error) {
      const errors = Array.isArray(error) && { errors: error };
      sink.next(errors || problem || failure(reasonOf(error), error.code));
      sink.complete();
    },
    complete: () => sink.complete(),
  });
  return { unsubscribe };
}

/** The socket was lost on the way: the next one begins with other tokens. */
function giveWay() {}

/** Sends an operation over the socket, and not again over the next one. */
function sendOnce(client, operation) {
  return new Promise((resolve, reject) => {
    const forget = client.on('closed', () => {
      stop();
      forget();
      reject(new Error('The socket was closed.'));
    });
    const stop = client.subscribe(operation, {
      next: (result) => resolve({ result }),
      error: reject,
      complete: forget,
    });
  });
}

function reasonOf({ code, reason, message }) {
  if (code) return `The connection was closed: ${[code, reason].filter(Boolean).join(' ')}.`;
  return message ?? 'The server cannot be reached.';
}

function failure(message, closeCode) {
  return { errors: [{ message, ...(closeCode && { extensions: { closeCode } }) }] };
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
