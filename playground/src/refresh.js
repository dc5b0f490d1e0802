import { post } from './post.js';
import { currentSession, forget, renew } from './session.js';

const REFRESH = `mutation RefreshTokens($input: RefreshTokensInput!) {
  refreshTokens(input: $input) { tokens { accessToken refreshToken } userErrors { code } }
}`;

/**
 * Replaces the tokens of the session, of which `sent` was refused or is about to
 * be. Returns null when there are new ones, and otherwise the answer that says
 * why not. `send` takes the place of `post`.
 */
export function refresh(sent, send = post) {
  return alone(async () => {
    const session = currentSession();
    // Another request, perhaps of another tab, was faster.
    if (session && session.accessToken !== sent) return null;
    if (!session?.refreshToken) return refused(sent);

    const input = { refreshToken: session.refreshToken };
    const { result } = await send({ query: REFRESH, variables: { input }, operationName: 'RefreshTokens' });
    const answer = result.data?.refreshTokens;
    // RATE_LIMITED, UNAVAILABLE: the session is as good as before.
    if (!answer) return result;
    if (!answer.tokens) return refused(sent);
    renew(sent, answer.tokens);
    return null;
  });
}

function refused(sent) {
  forget(sent);
  const message = 'The session has ended: sign in again.';
  return { errors: [{ message, extensions: { code: 'UNAUTHENTICATED' } }] };
}

let last = Promise.resolve();

/** One after the other: in all tabs of the browser where it has locks, which takes HTTPS or localhost. */
function alone(task) {
  if (navigator.locks) return navigator.locks.request('cloakroom:refresh', task);
  last = last.then(task, task);
  return last;
}
