// Writes the introspection of the running server for `graphql_client`, as its own command line does. The parser of
// `graphql_client` accepts no description on `schema`, so it cannot read schema.graphql.

import { mkdir, writeFile } from 'node:fs/promises';
import { introspect } from '../introspect.mjs';

const folder = new URL('generated/', import.meta.url);
await mkdir(folder, { recursive: true });
await writeFile(new URL('schema.json', folder), JSON.stringify(await introspect()));
