// A certified OpenID provider that nobody here wrote, told to behave like Pro Santé Connect:
// code flow, PKCE S256, acr eidas1, client authenticated by its TLS certificate, RS256.
// node server.mjs CONFIG.json ; prints "ready" once it listens.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import Provider from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const signing = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

const provider = new Provider(config.issuer, {
  clients: [{
    client_id: config.client_id,
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: config.client_subject,
    redirect_uris: [config.redirect_uri],
    post_logout_redirect_uris: [config.post_logout_redirect_uri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    id_token_signed_response_alg: 'RS256',
  }],
  clientAuthMethods: ['tls_client_auth'],
  jwks: { keys: [{ ...signing, kid: 'peer-1', use: 'sig', alg: 'RS256' }] },
  scopes: ['openid', 'scope_all'],
  claims: { openid: ['sub'], scope_all: Object.keys(config.claims), acr: null, auth_time: null },
  conformIdTokenClaims: true,
  acrValues: ['eidas1'],
  pkce: { required: () => true },
  cookies: { keys: ['peer-test-cookie-key'] },
  issueRefreshToken: async () => true,
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...config.claims }) }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      accountId: ctx.oidc.session.accountId, clientId: ctx.oidc.client.clientId,
    });
    grant.addOIDCScope('openid scope_all');
    await grant.save();
    return grant;
  },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => {
        const peer = ctx.socket.getPeerCertificate();
        return peer && peer.raw ? new X509Certificate(peer.raw) : undefined;
      },
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn'
        && new X509Certificate(ctx.socket.getPeerCertificate().raw).subject === expected,
    },
  },
});

// The login page of a tester who always says yes.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const result = { login: { accountId: config.account, acr: 'eidas1', amr: ['mfa'] } };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
  return undefined;
});

const server = createServer({
  cert: readFileSync(config.certificate),
  key: readFileSync(config.key),
  ca: readFileSync(config.authorities),
  requestCert: true,
  rejectUnauthorized: false,
}, provider.callback());
server.listen(config.port, '127.0.0.1', () => console.log('ready'));
