import assert from 'node:assert/strict'
import * as webapi from 'oauth4webapi'
import * as oauth from 'openid-client'
import { base, callback, clients, step, user } from './harness.mjs'

const { first_party: own, web, public: desktop } = clients

const discover = (client, authentication) =>
  oauth.discovery(new URL(base), client.client_id, {}, authentication, { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] })

const me = (config, token) => oauth.fetchProtectedResource(config, token, new URL('/api/me', base), 'GET')

// refused checks what the library makes of an error of the server.
const refused = (status, error) => (thrown) => {
  assert.ok(thrown instanceof oauth.ResponseBodyError, thrown)
  assert.deepEqual([thrown.status, thrown.error], [status, error])
  assert.ok(thrown.error_description)
  return true
}

const challenged = (error) => (thrown) => {
  assert.ok(thrown instanceof oauth.WWWAuthenticateChallengeError, thrown)
  assert.equal(thrown.cause[0].scheme, 'bearer')
  assert.equal(thrown.cause[0].parameters.error, error)
  assert.equal(thrown.cause[0].parameters.resource_metadata, base + '/.well-known/oauth-protected-resource/api/me')
  return true
}

// mixedUp checks that the library takes no code from a server that does not say
// who it is, or says that it is another one.
const mixedUp = (thrown) => {
  assert.ok(thrown instanceof oauth.ClientError, thrown)
  assert.equal(thrown.code, 'OAUTH_INVALID_RESPONSE')
  assert.match(thrown.cause.message, /"iss" \(issuer\)/)
  return true
}

// code goes from the link to tokens, and ends them.
async function code(client, authentication) {
  const config = await discover(client, authentication)
  const site = await callback(client)
  const verifier = oauth.randomPKCECodeVerifier()
  const state = oauth.randomState()
  const link = oauth.buildAuthorizationUrl(config, {
    redirect_uri: site.uri,
    scope: 'profile invoices',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const checks = { pkceCodeVerifier: verifier, expectedState: state }

  await assert.rejects(oauth.authorizationCodeGrant(config, await site.visit(link, 'deny'), checks), (thrown) => {
    assert.ok(thrown instanceof oauth.AuthorizationResponseError, thrown)
    assert.equal(thrown.error, 'access_denied')
    return true
  })

  const back = await site.visit(link, 'approve')
  site.close()
  for (const iss of [null, 'http://127.0.0.1:9']) {
    const mixed = new URL(back)
    mixed.searchParams.delete('iss')
    if (iss) mixed.searchParams.set('iss', iss)
    await assert.rejects(oauth.authorizationCodeGrant(config, mixed, checks), mixedUp)
  }
  await assert.rejects(
    oauth.authorizationCodeGrant(config, back, { ...checks, pkceCodeVerifier: oauth.randomPKCECodeVerifier() }),
    refused(400, 'invalid_grant'),
  )
  const tokens = await oauth.authorizationCodeGrant(config, back, checks)
  assert.equal(tokens.scope, 'invoices profile')
  assert.ok(tokens.expiresIn() > 0)
  assert.equal((await (await me(config, tokens.access_token)).json()).email, user.username)

  const narrowed = await oauth.refreshTokenGrant(config, tokens.refresh_token, { scope: 'profile' })
  assert.equal(narrowed.scope, 'profile')
  assert.notEqual(narrowed.refresh_token, tokens.refresh_token)
  await oauth.tokenRevocation(config, narrowed.access_token, { token_type_hint: 'access_token' })
  await assert.rejects(me(config, narrowed.access_token), challenged('invalid_token'))
  const refreshed = await oauth.refreshTokenGrant(config, narrowed.refresh_token)
  assert.equal(refreshed.scope, 'invoices profile')
  await oauth.tokenRevocation(config, refreshed.refresh_token)
  await assert.rejects(me(config, refreshed.access_token), challenged('invalid_token'))
  await assert.rejects(oauth.refreshTokenGrant(config, refreshed.refresh_token), refused(400, 'invalid_grant'))
}

await step('metadata', async () => {
  const server = (await discover(own, oauth.ClientSecretBasic(own.client_secret))).serverMetadata()
  assert.equal(server.issuer, base)
  assert.ok(server.supportsPKCE())
  assert.equal(server.authorization_response_iss_parameter_supported, true)
})
// What openid-client is made of reads the documents about resources, RFC 9728.
await step('from a challenge to the issuer', async () => {
  const resource = new URL('/api/me', base)
  const challenge = (await fetch(resource)).headers.get('WWW-Authenticate')
  const document = base + '/.well-known/oauth-protected-resource/api/me'
  assert.ok(challenge.includes(`resource_metadata="${document}"`), challenge)
  const options = { [webapi.allowInsecureRequests]: true }
  const answer = await webapi.resourceDiscoveryRequest(resource, options)
  assert.equal(answer.url, document)
  const found = await webapi.processResourceDiscoveryResponse(resource, answer)
  assert.deepEqual(found.authorization_servers, [base])
  const issuer = new URL(found.authorization_servers[0])
  const server = await webapi.processDiscoveryResponse(issuer, await webapi.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' }))
  assert.equal(server.issuer, base)
})

await step('code with client_secret_basic', () => code(web, oauth.ClientSecretBasic(web.client_secret)))
await step('code with client_secret_post', () => code(web, oauth.ClientSecretPost(web.client_secret)))
await step('code with none', () => code(desktop, oauth.None()))

await step('client credentials', async () => {
  const config = await discover(own, oauth.ClientSecretBasic(own.client_secret))
  const token = await oauth.clientCredentialsGrant(config, { scope: 'profile' })
  assert.equal(token.refresh_token, undefined)
  const state = await oauth.tokenIntrospection(config, token.access_token)
  assert.deepEqual([state.active, state.client_id, state.scope, state.sub], [true, own.client_id, 'profile', undefined])
  await assert.rejects(me(config, token.access_token), (thrown) => {
    assert.ok(thrown instanceof oauth.WWWAuthenticateChallengeError, thrown)
    assert.equal(thrown.status, 403)
    return true
  })
  await assert.rejects(oauth.clientCredentialsGrant(config, { scope: 'everything' }), refused(400, 'invalid_scope'))
})

await step('password and introspection', async () => {
  const config = await discover(own, oauth.ClientSecretPost(own.client_secret))
  const tokens = await oauth.genericGrantRequest(config, 'password', { username: user.username, password: user.password })
  const state = await oauth.tokenIntrospection(config, tokens.access_token)
  assert.deepEqual([state.active, state.sub, state.iss, state.token_type], [true, user.id, base, 'Bearer'])
  const others = await discover(web, oauth.ClientSecretBasic(web.client_secret))
  assert.deepEqual(await oauth.tokenIntrospection(others, tokens.access_token), { active: false })
  await assert.rejects(oauth.tokenRevocation(others, tokens.access_token), refused(400, 'invalid_grant'))
  await oauth.tokenRevocation(config, tokens.refresh_token)
  assert.deepEqual(await oauth.tokenIntrospection(config, tokens.access_token), { active: false })
})

await step('wrong secret', async () => {
  const config = await discover(own, oauth.ClientSecretBasic('wrong'))
  await assert.rejects(oauth.clientCredentialsGrant(config), (thrown) => {
    assert.ok(thrown instanceof oauth.WWWAuthenticateChallengeError, thrown)
    assert.equal(thrown.status, 401)
    assert.equal(thrown.cause[0].scheme, 'basic')
    return true
  })
})
