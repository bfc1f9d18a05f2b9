import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { AuthorizationCode, ClientCredentials, ResourceOwnerPassword } from 'simple-oauth2'
import { base, callback, clients, step, user } from './harness.mjs'

const { first_party: own, web } = clients

// The library knows nothing of metadata: the host tells it where things are.
const metadata = await (await fetch(base + '/.well-known/oauth-authorization-server')).json()

const settings = (client) => ({
  client: { id: client.client_id, secret: client.client_secret },
  auth: {
    tokenHost: metadata.issuer,
    tokenPath: new URL(metadata.token_endpoint).pathname,
    revokePath: new URL(metadata.revocation_endpoint).pathname,
  },
})

const me = (token) => fetch(base + '/api/me', { headers: { Authorization: `${token.token.token_type} ${token.token.access_token}` } })

// refused checks what the library makes of an error of the server.
const refused = (status, error) => (thrown) => {
  assert.ok(thrown.isBoom, thrown)
  assert.deepEqual([thrown.output.statusCode, thrown.data.payload.error], [status, error])
  return true
}

async function code(options) {
  const { client: credentials, auth } = settings(web)
  auth.authorizePath = new URL(metadata.authorization_endpoint).pathname
  const client = new AuthorizationCode({ client: credentials, auth, options })
  const site = await callback(web)
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(16).toString('base64')
  const link = client.authorizeURL({
    redirect_uri: site.uri,
    scope: ['profile', 'invoices'],
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const back = (await site.visit(link, 'approve')).searchParams
  site.close()
  assert.deepEqual([back.get('state'), back.get('iss')], [state, base])
  const redeem = (code_verifier) => client.getToken({ code: back.get('code'), redirect_uri: site.uri, code_verifier })
  await assert.rejects(redeem(randomBytes(32).toString('base64url')), refused(400, 'invalid_grant'))
  const token = await redeem(verifier)
  assert.equal(token.token.scope, 'invoices profile')
  assert.equal(token.expired(), false)
  assert.equal((await (await me(token)).json()).email, user.username)

  const narrowed = await token.refresh({ scope: 'profile' })
  assert.equal(narrowed.token.scope, 'profile')
  assert.notEqual(narrowed.token.refresh_token, token.token.refresh_token)
  await narrowed.revoke('access_token')
  assert.equal((await me(narrowed)).status, 401)
  const stored = client.createToken(JSON.parse(JSON.stringify(narrowed)))
  const refreshed = await stored.refresh()
  await refreshed.revokeAll()
  assert.equal((await me(refreshed)).status, 401)
  await assert.rejects(refreshed.refresh(), refused(400, 'invalid_grant'))
}

await step('code with the header', () => code())
await step('code with the body', () => code({ authorizationMethod: 'body' }))
await step('code with a header that is not encoded', () => code({ credentialsEncodingMode: 'loose' }))

await step('client credentials', async () => {
  const client = new ClientCredentials(settings(own))
  const token = await client.getToken({ scope: 'profile' })
  assert.equal(token.token.refresh_token, undefined)
  assert.equal((await me(token)).status, 403)
  await token.revoke('access_token')
  assert.equal((await me(token)).status, 401)
  await assert.rejects(client.getToken({ scope: 'everything' }), refused(400, 'invalid_scope'))
})

await step('password', async () => {
  const client = new ResourceOwnerPassword(settings(own))
  const token = await client.getToken({ username: user.username, password: user.password, scope: 'profile' })
  assert.equal((await (await me(token)).json()).id, user.id)
  await assert.rejects(client.getToken({ username: user.username, password: 'wrong' }), refused(400, 'invalid_grant'))
  await token.revokeAll()
})

await step('wrong secret', async () => {
  const client = new ClientCredentials(settings({ ...own, client_secret: 'wrong' }))
  await assert.rejects(client.getToken({}), refused(401, 'invalid_client'))
})
