/** Sends an operation. Returns the HTTP status and what the server answered. */
export async function post({ query, variables, operationName }, headers = new Headers()) {
  headers.set('Content-Type', 'application/json');
  if (!headers.has('Accept')) {
    headers.set('Accept', 'application/graphql-response+json, application/json');
  }
  const body = JSON.stringify({ query, variables, operationName });
  const response = await fetch('/graphql', { method: 'POST', headers, body });
  return { status: response.status, result: await readJson(response) };
}

async function readJson(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status}, and not with JSON: ${text}`);
  }
}
