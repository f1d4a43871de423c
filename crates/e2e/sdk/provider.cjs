// A real OpenID Connect provider: `node provider.cjs PORT KEY_NAME CALLBACK LANDING`.
//
// Whoever types a name signs in as that name, with any password; `admin` has the role of that name, as Keycloak writes it.
// Each start has a new key, under the given name, and knows nobody from before.
'use strict';

const { generateKeyPairSync } = require('node:crypto');
const { Provider } = require('oidc-provider');

const [port, kid, callback, landing] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const roles = (accountId) => ({ realm_access: { roles: accountId === 'admin' ? ['admin'] : ['offline_access'] } });

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'jan',
    client_secret: 'not so secret',
    redirect_uris: [callback],
    post_logout_redirect_uris: [landing],
  }, {
    // An app of somebody's, whose access tokens the server takes.
    client_id: 'web-app',
    token_endpoint_auth_method: 'none',
    redirect_uris: [landing],
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
  pkce: { required: () => true },
  // Most providers put names and addresses into ID tokens.
  conformIdTokenClaims: false,
  cookies: { keys: ['signs the cookies of a test'] },
  claims: { openid: ['sub', 'realm_access'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  async findAccount(_, sub) {
    return {
      accountId: sub,
      claims: () => ({
        sub, name: `The ${sub}`, preferred_username: sub, email: `${sub}@example.org`, email_verified: true, ...roles(sub),
      }),
    };
  },
  // Access tokens as JWTs for one API, with the roles in them.
  extraTokenClaims: (_, token) => roles(token.accountId),
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:jan:api',
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: '', audience: 'urn:jan:api', accessTokenFormat: 'jwt', accessTokenTTL: 3600 }),
    },
  },
  ttl: { AccessToken: 3600, IdToken: 3600, Session: 3600, Grant: 3600, Interaction: 3600 },
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
