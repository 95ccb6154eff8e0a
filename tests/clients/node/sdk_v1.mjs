// The TypeScript SDK of the first generation: most installed clients are built on it.

import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { Keeper } from './keeper.mjs';
import { obey } from './obey.mjs';

const [url] = process.argv.slice(2);

await obey(new Keeper(), {
    Unauthorized: UnauthorizedError,
    open: (keeper) => ({
        client: new Client({ name: 'sdk-v1', version: '1.0.0' }),
        transport: new StreamableHTTPClientTransport(new URL(url), { authProvider: keeper }),
    }),
    finish: (transport, answer) => transport.finishAuth(answer.searchParams.get('code')),
});
