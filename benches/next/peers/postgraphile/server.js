// `mutation { next(input: {}) { result } }` on PostGraphile 5: its Amber preset over node:http, a pool of pg's default
// size (10), and an HS256 token verified on each request, whose user goes into the transaction's settings.
// NODE_ENV=production, GRAPHILE_ENV=production, one process.
import './polyfill.js'

import { createServer } from 'node:http'

import jwt from 'jsonwebtoken'

// Imported after the polyfill: static imports of packages would be evaluated in order too, but this says so.
const { postgraphile } = await import('postgraphile')
const { PostGraphileAmberPreset } = await import('postgraphile/presets/amber')
const { makePgService } = await import('postgraphile/adaptors/pg')
const { grafserv } = await import('postgraphile/grafserv/node')

const { HOST, PORT, DATABASE_URL, TOKEN_SECRET } = process.env

function userOf(request) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ')
  if (scheme !== 'Bearer') throw new Error('Sign in first.')
  return jwt.verify(token, TOKEN_SECRET, { algorithms: ['HS256'] }).sub
}

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString: DATABASE_URL, schemas: ['public'] })],
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false },
  grafast: {
    context: ({ node }) => ({ pgSettings: { 'jwt.claims.sub': userOf(node.req) } }),
  },
}

const serving = postgraphile(preset).createServ(grafserv)
const server = createServer()
server.on('error', (error) => {
  console.error(error)
  process.exit(1)
})
await serving.addTo(server)
server.listen(Number(PORT), HOST)
