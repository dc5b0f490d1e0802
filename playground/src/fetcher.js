import { currentSession, forget, remember } from './session.js';

/** Sends what GraphiQL wants to run, signed with the token of the session. */
export async function fetcher({ query, variables, operationName }, { headers: written } = {}) {
  const headers = new Headers(written);
  headers.set('Content-Type', 'application/json');
  if (!headers.has('Accept')) {
    headers.set('Accept', 'application/graphql-response+json, application/json');
  }

  const token = tokenFor(operationName, headers);
  if (token) headers.set('Authorization', `Bearer ${token}`);

  const response = await fetch('/graphql', {
    method: 'POST',
    headers,
    body: JSON.stringify({ query, variables, operationName }),
  });

  if (token && response.status === 401) forget(token);
  const result = await readJson(response);
  followSession(result.data, token);
  return result;
}

/** The stored token, where it is wanted. */
function tokenFor(operationName, headers) {
  if (headers.has('Authorization')) return null;
  // The schema is public. Asking for it without a token means that a stale one
  // cannot keep the playground from loading.
  if (operationName === 'IntrospectionQuery') return null;
  return currentSession()?.token;
}

async function readJson(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status}, and not with JSON: ${text}`);
  }
}

/**
 * Takes up the tokens of a sign-up or login and drops those of a logout. It
 * goes by the shape of the fields, not by their names: those may be aliased.
 */
function followSession(data, sentToken) {
  for (const field of Object.values(data ?? {})) {
    if (field?.tokens?.accessToken) {
      remember(field.tokens.accessToken, field.user?.username);
    } else if (sentToken && field?.endedSessions !== undefined) {
      forget(sentToken);
    }
  }
}
