/** Sends an operation, with its files if it has any. Returns the HTTP status and what the server answered. */
export async function post({ query, variables, operationName, files = [] }, headers = new Headers()) {
  const operation = { query, variables, operationName };
  const body = files.length > 0 ? formOf(operation, files) : JSON.stringify(operation);
  if (files.length > 0) {
    // The browser writes it, with the boundary of the form.
    headers.delete('Content-Type');
    // What makes a page of another site ask first.
    headers.set('Apollo-Require-Preflight', 'true');
  } else {
    headers.set('Content-Type', 'application/json');
  }
  if (!headers.has('Accept')) {
    headers.set('Accept', 'application/graphql-response+json, application/json');
  }
  const response = await fetch('/graphql', { method: 'POST', headers, body });
  return { status: response.status, result: await readJson(response) };
}

/** After the GraphQL multipart request specification, which wants this order. */
function formOf(operation, files) {
  const form = new FormData();
  form.append('operations', JSON.stringify(operation));
  form.append('map', JSON.stringify(Object.fromEntries(files.map(({ place }, at) => [at, [place]]))));
  files.forEach(({ file }, at) => form.append(String(at), file));
  return form;
}

async function readJson(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status}, and not with JSON: ${text}`);
  }
}
