// Compares the schema of a running server with the committed one, descriptions included.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import { readFile } from 'node:fs/promises';
import { diff } from '@graphql-inspector/core';
import { buildClientSchema, buildSchema, getIntrospectionQuery, printSchema } from 'graphql';

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

const query = getIntrospectionQuery({
  specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true,
});
const response = await fetch(url, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ query }),
});
const { data, errors } = await response.json();
if (errors) throw new Error(`introspection failed: ${JSON.stringify(errors)}`);

const committed = buildSchema(await readFile(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
// graphql-inspector reads @oneOf and @specifiedBy from the syntax tree, which an introspection has not.
const served = buildSchema(printSchema(buildClientSchema(data)));
const changes = await diff(committed, served);
for (const { criticality, message } of changes) console.error(`${criticality.level}: ${message}`);
if (changes.length > 0) {
  console.error(`graphql-inspector: ${changes.length} differences between schema.graphql and the server`);
  process.exit(1);
}
console.log('graphql-inspector: no change');
