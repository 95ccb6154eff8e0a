// oauth4webapi as referee: the strictest client library there is judges every endpoint.
// Usage: node referee.mjs CHAPTER ISSUER RESOURCE. Says every ruling on a line of JSON, and ends
// with 1 at the first foul.

import * as oauth from 'oauth4webapi';

import { browse } from './person.mjs';

const [chapter, ISSUER, RESOURCE] = process.argv.slice(2);
const CALLBACK = 'http://127.0.0.1:33418/callback';
const loopback = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(ISSUER);

function rule(what, holds, seen) {
    process.stdout.write(JSON.stringify({ rule: what, holds: Boolean(holds), seen }) + '\n');
    if (!holds) process.exit(1);
}

async function discover(algorithm = 'oauth2') {
    const answer = await oauth.discoveryRequest(issuer, { ...loopback, algorithm });
    return oauth.processDiscoveryResponse(issuer, answer);
}

async function register(as, metadata) {
    const answer = await oauth.dynamicClientRegistrationRequest(
        as,
        {
            client_name: 'The referee',
            redirect_uris: [CALLBACK],
            grant_types: ['authorization_code', 'refresh_token'],
            response_types: ['code'],
            ...metadata,
        },
        loopback,
    );
    rule('DCR answers are not stored', answer.headers.get('cache-control') === 'no-store');
    return oauth.processDynamicClientRegistrationResponse(answer);
}

const proofs = {
    none: () => oauth.None(),
    client_secret_basic: (client) => oauth.ClientSecretBasic(client.client_secret),
    client_secret_post: (client) => oauth.ClientSecretPost(client.client_secret),
};

/** From the authorization request to the validated parameters of the answer. */
async function ask(as, client, verifier, more = {}) {
    const url = new URL(as.authorization_endpoint);
    const state = oauth.generateRandomState();
    const asked = {
        client_id: client.client_id,
        redirect_uri: CALLBACK,
        response_type: 'code',
        scope: 'mcp:use',
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        resource: RESOURCE,
        ...more,
    };
    for (const [name, value] of Object.entries(asked)) {
        if (value !== undefined) url.searchParams.set(name, value);
    }
    return oauth.validateAuthResponse(as, client, await browse(url, CALLBACK), state);
}

async function redeem(as, client, proof, answer, verifier) {
    return oauth.authorizationCodeGrantRequest(as, client, proof, answer, CALLBACK, verifier, loopback);
}

/** The OAuth error that `promise` is refused with, as the library understood it. */
async function refused(promise) {
    try {
        await promise;
    } catch (error) {
        if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError) {
            return { code: error.error, status: error.status };
        }
        if (error instanceof oauth.WWWAuthenticateChallengeError) {
            const body = await error.response.json();
            return { code: body.error, status: error.status, schemes: error.cause.map((c) => c.scheme) };
        }
        throw error;
    }
    return { code: 'nothing was refused' };
}

async function protectedCall(token) {
    return oauth.protectedResourceRequest(
        token,
        'POST',
        new URL(RESOURCE),
        new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' }),
        JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
        loopback,
    );
}

const chapters = {
    async discovery() {
        const resource = new URL(RESOURCE);
        const found = await oauth.processResourceDiscoveryResponse(
            resource,
            await oauth.resourceDiscoveryRequest(resource, loopback),
        );
        rule('RFC 9728: names this authorization server exactly', found.authorization_servers?.[0] === ISSUER);
        rule('RFC 9728: header only', String(found.bearer_methods_supported) === 'header');

        const oauth2 = await discover('oauth2');
        const oidc = await discover('oidc');
        rule('RFC 8414 and OIDC Discovery tell the same', JSON.stringify(oauth2) === JSON.stringify(oidc));
        rule('issuer is byte for byte the one asked for', oauth2.issuer === ISSUER, oauth2.issuer);
        rule('S256 and nothing else', String(oauth2.code_challenge_methods_supported) === 'S256');
        rule('RFC 9207 is announced', oauth2.authorization_response_iss_parameter_supported === true);
        for (const name of ['registration', 'revocation', 'introspection', 'authorization', 'token']) {
            rule(`${name}_endpoint is there`, URL.canParse(oauth2[`${name}_endpoint`]));
        }
    },

    async errors() {
        const as = await discover();
        const client = await register(as, { token_endpoint_auth_method: 'none' });
        const proof = oauth.None();
        const verifier = oauth.generateRandomCodeVerifier();

        const noSuchResource = await refused(ask(as, client, verifier, { resource: 'https://other.example/mcp' }));
        rule('unknown resource: invalid_target', noSuchResource.code === 'invalid_target', noSuchResource);
        const plain = await refused(ask(as, client, verifier, { code_challenge_method: 'plain' }));
        rule('plain PKCE: invalid_request', plain.code === 'invalid_request', plain);
        const none = await refused(
            ask(as, client, verifier, { code_challenge: undefined, code_challenge_method: undefined }),
        );
        rule('no PKCE: invalid_request', none.code === 'invalid_request', none);
        const token = await refused(ask(as, client, verifier, { response_type: 'token' }));
        rule('implicit: unsupported_response_type', token.code === 'unsupported_response_type', token);
        const scope = await refused(ask(as, client, verifier, { scope: 'bad"scope' }));
        rule('malformed scope: invalid_scope', scope.code === 'invalid_scope', scope);

        const answer = await ask(as, client, verifier);
        const wrong = await refused(
            redeem(as, client, proof, answer, oauth.generateRandomCodeVerifier()).then((response) =>
                oauth.processAuthorizationCodeResponse(as, client, response),
            ),
        );
        rule('wrong verifier: invalid_grant', wrong.code === 'invalid_grant' && wrong.status === 400, wrong);
        const right = await oauth.processAuthorizationCodeResponse(
            as,
            client,
            await redeem(as, client, proof, answer, verifier),
        );
        const wider = await refused(
            oauth
                .refreshTokenGrantRequest(as, client, proof, right.refresh_token, {
                    ...loopback,
                    additionalParameters: { resource: 'https://other.example/mcp' },
                })
                .then((response) => oauth.processRefreshTokenResponse(as, client, response)),
        );
        rule('resource widened: invalid_target', wider.code === 'invalid_target', wider);
        const unknown = await refused(
            oauth
                .genericTokenEndpointRequest(as, client, proof, 'password', { username: 'a' }, loopback)
                .then((response) => oauth.processGenericTokenEndpointResponse(as, client, response)),
        );
        rule('unknown grant: unsupported_grant_type', unknown.code === 'unsupported_grant_type', unknown);
        const replay = await refused(
            redeem(as, client, proof, answer, verifier).then((response) =>
                oauth.processAuthorizationCodeResponse(as, client, response),
            ),
        );
        rule('a code twice: invalid_grant', replay.code === 'invalid_grant', replay);
        const ended = await refused(protectedCall(right.access_token));
        rule('and the replay ended the grant', ended.status === 401 && ended.schemes[0] === 'bearer', ended);

        const secret = await register(as, { token_endpoint_auth_method: 'client_secret_basic' });
        const guess = await refused(
            oauth
                .refreshTokenGrantRequest(as, secret, oauth.ClientSecretBasic('guess'), 'x', loopback)
                .then((response) => oauth.processRefreshTokenResponse(as, secret, response)),
        );
        rule(
            'wrong secret: 401 invalid_client with a Basic challenge',
            guess.code === 'invalid_client' && guess.status === 401 && guess.schemes[0] === 'basic',
            guess,
        );
        const stranger = { client_id: 'nobody-knows-me' };
        const nobody = await refused(
            oauth
                .refreshTokenGrantRequest(as, stranger, proof, 'x', loopback)
                .then((response) => oauth.processRefreshTokenResponse(as, stranger, response)),
        );
        rule('unknown client: 401 invalid_client', nobody.code === 'invalid_client' && nobody.status === 401, nobody);
        const uri = await refused(register(as, { redirect_uris: ['https://a.example/cb#fragment'] }));
        rule('fragment: invalid_redirect_uri', uri.code === 'invalid_redirect_uri' && uri.status === 400, uri);
        const method = await refused(register(as, { token_endpoint_auth_method: 'tls_client_auth' }));
        rule('unknown method: invalid_client_metadata', method.code === 'invalid_client_metadata', method);
    },
};

/** One client with one way to prove itself, through every endpoint there is. */
async function wholeLife(method) {
    const as = await discover();
    const client = await register(as, { token_endpoint_auth_method: method });
    rule('the method is the one asked for', client.token_endpoint_auth_method === method);
    rule('a secret exactly if one is needed', (method === 'none') === (client.client_secret === undefined));
    const proof = proofs[method](client);

    const verifier = oauth.generateRandomCodeVerifier();
    const answer = await ask(as, client, verifier); // state and iss are checked in there
    rule('iss is in the answer once', answer.getAll('iss').join() === ISSUER);

    const response = await redeem(as, client, proof, answer, verifier);
    rule('token answers are not stored', response.headers.get('cache-control') === 'no-store');
    const first = await oauth.processAuthorizationCodeResponse(as, client, response);
    rule('bearer', first.token_type === 'bearer');
    rule('scope is echoed', first.scope === 'mcp:use', first.scope);
    rule('a lifetime in seconds', first.expires_in === 3600, first.expires_in);

    const presented = new Request(RESOURCE, { headers: { authorization: `Bearer ${first.access_token}` } });
    const claims = await oauth.validateJwtAccessToken(as, presented, RESOURCE, loopback);
    rule('RFC 9068: for this resource alone', claims.aud === RESOURCE, claims.aud);
    rule('RFC 9068: client_id', claims.client_id === client.client_id);
    rule('RFC 9068: scope', claims.scope === 'mcp:use');
    rule('the token opens the door', (await protectedCall(first.access_token)).status === 200);

    const second = await oauth.processRefreshTokenResponse(
        as,
        client,
        await oauth.refreshTokenGrantRequest(as, client, proof, first.refresh_token, loopback),
    );
    rule('refresh tokens rotate', second.refresh_token !== first.refresh_token);
    rule('the scope stays', second.scope === 'mcp:use');

    // Only clients with a secret may ask what a token is worth; a public one gets a plain refusal.
    const judge =
        method === 'none' ? await register(as, { token_endpoint_auth_method: 'client_secret_post' }) : client;
    const judgeProof = method === 'none' ? proofs.client_secret_post(judge) : proof;
    const worth = async (token) =>
        oauth.processIntrospectionResponse(
            as,
            judge,
            await oauth.introspectionRequest(as, judge, judgeProof, token, loopback),
        );
    if (method === 'none') {
        const public_ = await refused(
            oauth
                .introspectionRequest(as, client, proof, second.access_token, loopback)
                .then((found) => oauth.processIntrospectionResponse(as, client, found)),
        );
        rule('public clients may not introspect', public_.status === 401, public_);
        const foreign = await worth(second.access_token);
        rule('nor does a stranger learn anything', JSON.stringify(foreign) === '{"active":false}', foreign);
    } else {
        const alive = await worth(second.access_token);
        rule('introspection: active', alive.active === true, alive);
        rule('introspection: whose and for what', alive.client_id === client.client_id && alive.aud === RESOURCE, alive);
        rule('introspection: refresh tokens too', (await worth(second.refresh_token)).active === true);
    }
    rule('introspection of nonsense', JSON.stringify(await worth('nonsense')) === '{"active":false}');

    const revoke = async (token) =>
        oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof, token, loopback));
    await revoke('nonsense');
    rule('revoking nonsense changes nothing', (await protectedCall(second.access_token)).status === 200);
    await revoke(second.refresh_token);
    const gone = await refused(protectedCall(second.access_token));
    rule('revoking the refresh token ends the access tokens', gone.status === 401, gone);
    rule('introspection: not any more', (await worth(second.access_token)).active === false);
    const dead = await refused(
        oauth
            .refreshTokenGrantRequest(as, client, proof, second.refresh_token, loopback)
            .then((found) => oauth.processRefreshTokenResponse(as, client, found)),
    );
    rule('a revoked refresh token: 400 invalid_grant', dead.code === 'invalid_grant' && dead.status === 400, dead);
}

await (chapter in chapters ? chapters[chapter]() : wholeLife(chapter));
