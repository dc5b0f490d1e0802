// Runs the audits of the GraphQL-over-HTTP working group against a running server. All must pass: what the
// specification says a server MUST do, and what it SHOULD and MAY do.
//
//   CLOAKROOM_URL  the endpoint (http://127.0.0.1:8000/graphql)

import { serverAudits } from 'graphql-http';

const url = process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql';

let failed = 0;
const audits = serverAudits({ url });
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status !== 'ok') failed += 1;
  const reason = result.status === 'ok' ? '' : `: ${result.reason}`;
  console.log(`${audit.id}  ${result.status.padEnd(6)}  ${audit.name}${reason}`);
}
console.log(`${audits.length - failed} of ${audits.length} audits of ${url} pass.`);
process.exitCode = failed === 0 && audits.length > 0 ? 0 : 1;
