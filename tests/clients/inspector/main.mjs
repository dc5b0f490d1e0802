// Compares schema.graphql with the schema of a running server, descriptions included.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import { readFile } from 'node:fs/promises';
import { diff } from '@graphql-inspector/core';
import { buildClientSchema, buildSchema, printSchema } from 'graphql';
import { introspect } from '../introspect.mjs';

const committed = buildSchema(await readFile(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
// graphql-inspector reads @oneOf and @specifiedBy from the syntax tree, which an introspection lacks.
const served = buildSchema(printSchema(buildClientSchema(await introspect())));

const changes = await diff(committed, served);
for (const { criticality, message } of changes) console.error(`${criticality.level}: ${message}`);
if (changes.length > 0) {
  console.error(`graphql-inspector: ${changes.length} differences between schema.graphql and the server`);
  process.exit(1);
}
console.log('graphql-inspector: no change');
