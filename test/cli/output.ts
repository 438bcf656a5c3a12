import type { Terminal } from '../../src/cli/terminal.ts';

/** Runs a verb with streams that keep what is written; resolves to its exit code and that. */
export async function captured(run: (streams: { stdout: Terminal; stderr: Terminal }) => Promise<number>) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written): Terminal => ({ write: text => (written[name] += text) });
  const code = await run({ stdout: stream('stdout'), stderr: stream('stderr') });
  return { code, ...written };
}
