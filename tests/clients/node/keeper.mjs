// What an application keeps between calls: the shape is the same in both TypeScript SDKs.

export const CALLBACK = 'http://127.0.0.1:33418/callback';

export class Keeper {
    saved = {};
    waiting = undefined;
    visits = 0;
    registrations = 0;

    get redirectUrl() {
        return CALLBACK;
    }

    /** A client's own document, for those that are known by one and register nowhere. */
    get clientMetadataUrl() {
        return process.env.CLIENT_METADATA_URL;
    }

    get clientMetadata() {
        return {
            client_name: 'TypeScript test client',
            redirect_uris: [CALLBACK],
            grant_types: ['authorization_code', 'refresh_token'],
            response_types: ['code'],
            token_endpoint_auth_method: 'none',
        };
    }

    state() {
        return (this.saved.state = crypto.randomUUID());
    }

    clientInformation() {
        return this.saved.client;
    }

    saveClientInformation(client) {
        this.registrations += 1;
        this.saved.client = client;
    }

    tokens() {
        return this.saved.tokens;
    }

    saveTokens(tokens) {
        this.saved.tokens = tokens;
    }

    redirectToAuthorization(url) {
        this.visits += 1;
        this.waiting = url;
    }

    saveCodeVerifier(verifier) {
        this.saved.verifier = verifier;
    }

    codeVerifier() {
        return this.saved.verifier;
    }

    invalidateCredentials(what) {
        if (what === 'all' || what === 'client') delete this.saved.client;
        if (what === 'all' || what === 'tokens') delete this.saved.tokens;
        if (what === 'all' || what === 'verifier') delete this.saved.verifier;
    }
}
