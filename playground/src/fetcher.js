import { getOperationAST, parse } from 'graphql';
import { post } from './post.js';
import { refresh } from './refresh.js';
import { currentSession, forget, renew, signIn } from './session.js';
import { subscribe } from './subscribe.js';
import { pack } from './uploads.js';

/** Sends what GraphiQL wants to run, signed with the token of the session. */
export async function fetcher(operation, { headers: written } = {}) {
  const headers = new Headers(written);
  if (isSubscription(operation)) return subscribe(operation, headers.get('Authorization'));
  const parcel = pack(operation);
  if (parcel.problem) return parcel.problem;
  if (!isSignedByUs(operation, headers)) return follow(await post(parcel, headers));

  const sent = sign(headers);
  const answer = await post(parcel, headers);
  if (!sent || answer.status !== 401) return follow(answer, sent);

  // Refused before anything was done: it can safely be sent again.
  const problem = await refresh(sent);
  if (problem) return problem;
  const renewed = sign(headers);
  return follow(await post(parcel, headers), renewed);
}

function isSubscription({ query, operationName }) {
  try {
    return getOperationAST(parse(query), operationName)?.operation === 'subscription';
  } catch {
    // The server says better what is wrong with it.
    return false;
  }
}

function isSignedByUs({ operationName }, headers) {
  // The schema is public. Asking for it without a token means that a stale one
  // cannot keep the playground from loading.
  return !headers.has('Authorization') && operationName !== 'IntrospectionQuery';
}

function sign(headers) {
  const token = currentSession()?.accessToken;
  if (token) headers.set('Authorization', `Bearer ${token}`);
  return token;
}

/**
 * Takes up the tokens of a sign-up, login or refresh, and drops those of a
 * session that has ended. It goes by the shape of the fields, not by their
 * names: those may be aliased.
 */
function follow({ result }, sent) {
  for (const field of Object.values(result.data ?? {})) {
    if (field?.tokens?.accessToken) {
      // Only a refresh tells no user.
      if (field.user) signIn(field.tokens, field.user.username);
      else if (sent) renew(sent, field.tokens);
      else signIn(field.tokens);
    } else if (sent && (field?.endedSessions > 0 || field?.deletedUserId)) {
      forget(sent);
    }
  }
  return result;
}
