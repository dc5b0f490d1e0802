import { getIntrospectionQuery } from 'graphql';

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

/** Returns the full introspection of the running server. */
export async function introspect() {
  const query = getIntrospectionQuery({
    specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true,
  });
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(`introspection failed: ${JSON.stringify(errors)}`);
  return data;
}
