// A client of the time before resource metadata (MCP 2025-03-26), put together from the TypeScript
// SDK's own parts: it looks for the server's metadata at the MCP server's own host, and names no
// resource. Words: connect, whoami.

import { createInterface } from 'node:readline';

import {
    discoverOAuthMetadata,
    exchangeAuthorization,
    registerClient,
    startAuthorization,
} from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { CALLBACK, Keeper } from './keeper.mjs';
import { browse } from './person.mjs';

const url = new URL(process.argv[2]);
let tokens;

async function connect() {
    const metadata = await discoverOAuthMetadata(url.origin);
    const { clientMetadata } = new Keeper();
    const client = await registerClient(url.origin, { metadata, clientMetadata });
    const begun = await startAuthorization(url.origin, {
        metadata,
        clientInformation: client,
        redirectUrl: CALLBACK,
        state: 'a state',
    });
    const answer = await browse(begun.authorizationUrl, CALLBACK);
    tokens = await exchangeAuthorization(url.origin, {
        metadata,
        clientInformation: client,
        authorizationCode: answer.searchParams.get('code'),
        codeVerifier: begun.codeVerifier,
        redirectUri: CALLBACK,
    });
    return { issuer: metadata.issuer };
}

async function whoami() {
    const headers = { Authorization: `Bearer ${tokens.access_token}` };
    let refused;
    const watched = async (...asked) => {
        const answer = await fetch(...asked);
        if (answer.status === 401) refused = answer.headers.get('www-authenticate');
        return answer;
    };
    const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers }, fetch: watched });
    const client = new Client({ name: 'older', version: '1.0.0' });
    try {
        await client.connect(transport);
        return { result: (await client.callTool({ name: 'whoami', arguments: {} })).structuredContent };
    } catch (error) {
        if (refused === undefined) throw error;
        return { status: 401, challenge: refused };
    }
}

const words = { connect, whoami };
for await (const word of createInterface({ input: process.stdin })) {
    let said;
    try {
        said = { ok: await words[word]() };
    } catch (error) {
        said = { failed: `${error.name}: ${error.message}`, stack: error.stack };
    }
    process.stdout.write(JSON.stringify(said) + '\n');
}
process.exit(0);
