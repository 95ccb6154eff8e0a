// The conversation with the test: one word a line comes in (`call` has JSON behind it), one line of
// JSON goes out.

import { createInterface } from 'node:readline';

import { CALLBACK } from './keeper.mjs';
import { browse } from './person.mjs';

/**
 * `open(keeper)` gives { client, transport }, not yet connected; `finish(transport, answer)` hands
 * the answer of the browser to the SDK; `Unauthorized` is what the SDK throws to ask for one.
 */
export async function obey(keeper, { open, finish, Unauthorized }) {
    let current;

    async function call(tool, args) {
        for (let tries = 0; ; tries += 1) {
            const fresh = current === undefined;
            current ??= open(keeper);
            try {
                if (fresh) await current.client.connect(current.transport);
                return await current.client.callTool({ name: tool, arguments: args });
            } catch (error) {
                if (!(error instanceof Unauthorized) || tries === 3) throw error;
                const answer = await browse(keeper.waiting, CALLBACK);
                if (answer.searchParams.get('state') !== keeper.saved.state) throw new Error('state');
                await finish(current.transport, answer);
                current = undefined; // both SDKs want a new transport after a sign-in
            }
        }
    }

    const words = {
        whoami: async () => (await call('whoami', {})).structuredContent,
        add: async () => (await call('add', { a: 20, b: 22 })).structuredContent,
        call: async (asked) => {
            const { name, arguments: args } = JSON.parse(asked);
            return await call(name, args);
        },
        tools: async () => (await current.client.listTools()).tools.map((tool) => tool.name),
        reconnect: async () => {
            await current?.client.close();
            current = undefined;
        },
        kept: async () => ({
            client_id: keeper.saved.client?.client_id,
            tokens: keeper.saved.tokens,
            visits: keeper.visits,
            registrations: keeper.registrations,
            server: current?.client.getServerVersion?.(),
            protocol: current?.client.getNegotiatedProtocolVersion?.() ?? current?.transport.protocolVersion,
        }),
    };

    for await (const line of createInterface({ input: process.stdin })) {
        const [word, ...rest] = line.split(' ');
        let said;
        try {
            said = { ok: (await words[word](rest.join(' '))) ?? null };
        } catch (error) {
            said = { failed: `${error.name}: ${error.message}`, stack: error.stack };
        }
        process.stdout.write(JSON.stringify(said) + '\n');
    }
    process.exit(0);
}
