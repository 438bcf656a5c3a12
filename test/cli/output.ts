import { type Terminal, told } from '../../src/cli/terminal.ts';

/** Runs a verb with streams that keep what is written, a refusal too; resolves to its exit code and that. */
export async function captured(run: (streams: { stdout: Terminal; stderr: Terminal }) => Promise<number>) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written): Terminal => ({ write: text => (written[name] += text) });
  const streams = { stdout: stream('stdout'), stderr: stream('stderr') };
  const code = await run(streams).catch(error => told(error, streams.stderr));
  return { code, ...written };
}
