// The person at the browser, for clients written in JavaScript: the scripted browser as a program.
// Its path and its Python come from the environment, the person's name and password too.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Opens `url`, signs in, approves; the URL with the answer, before anybody fetches it. */
export async function browse(url, callback) {
    const program = [process.env.SCRIPTED_BROWSER, String(url), callback];
    const { stdout } = await run(process.env.SCRIPTED_BROWSER_PYTHON, program);
    return new URL(stdout.trim());
}
