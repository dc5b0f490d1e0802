// `mutation { next { value } }` on Apollo Server 5: the documented standalone server, a pool of pg's default size (10),
// a prepared statement, and an HS256 token verified on each request. NODE_ENV=production, one process, as it starts.
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { GraphQLError } from 'graphql'
import jwt from 'jsonwebtoken'
import pg from 'pg'

const { HOST, PORT, DATABASE_URL, TOKEN_SECRET } = process.env

const pool = new pg.Pool({ connectionString: DATABASE_URL })

const typeDefs = `#graphql
  type Query { hello: String! }
  type Next { value: Float! }
  type Mutation { next: Next! }
`

const resolvers = {
  Query: { hello: () => 'hello' },
  Mutation: {
    // The statement is its own transaction: its row arrives with its commit.
    next: async (_parent, _input, { user }) => {
      const { rows } = await pool.query({
        name: 'next',
        text: 'UPDATE counters SET value = value + 1 WHERE user_id = $1 RETURNING value',
        values: [user],
      })
      if (rows.length === 0) throw new GraphQLError('There is no such user.')
      return { value: Number(rows[0].value) }
    },
  },
}

function userOf(request) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ')
  if (scheme === 'Bearer') {
    try {
      return jwt.verify(token, TOKEN_SECRET, { algorithms: ['HS256'] }).sub
    } catch {
      // Falls through to the refusal.
    }
  }
  throw new GraphQLError('Sign in first.', { extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } } })
}

const server = new ApolloServer({ typeDefs, resolvers })
await startStandaloneServer(server, {
  listen: { host: HOST, port: Number(PORT) },
  context: async ({ req }) => ({ user: userOf(req) }),
})
