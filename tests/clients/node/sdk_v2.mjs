// The TypeScript SDK of the second generation: both protocol eras, checks `iss` (RFC 9207).
// The second argument is the era: legacy, auto, or a revision to be pinned.

import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

import { Keeper } from './keeper.mjs';
import { obey } from './obey.mjs';

const [url, era] = process.argv.slice(2);
const mode = ['legacy', 'auto'].includes(era) ? era : { pin: era };

await obey(new Keeper(), {
    Unauthorized: UnauthorizedError,
    open: (keeper) => ({
        client: new Client({ name: 'sdk-v2', version: '1.0.0' }, { versionNegotiation: { mode } }),
        transport: new StreamableHTTPClientTransport(new URL(url), { authProvider: keeper }),
    }),
    finish: (transport, answer) => transport.finishAuth(answer.searchParams),
});
