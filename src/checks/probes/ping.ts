import { type ExecFileException, execFile } from 'node:child_process';
import { addAbortListener } from 'node:events';
import { isIPv4 } from 'node:net';
import { promisify } from 'node:util';
import { bare, type Findings, type Limits } from '../finding.ts';

interface PingTarget {
  /** IPv4. */
  address: string;
  /** The system's ping. */
  command?: string;
}

const execute = promisify(execFile);

/**
 * One echo request by the system's own `ping` (iputils or BusyBox), which may have rights that this process lacks. A
 * ping that cannot be sent says nothing about the guest. The process has ended when this resolves.
 */
export async function ping({ address, command = 'ping' }: PingTarget, limits: Limits): Promise<Findings['ping']> {
  limits.signal.throwIfAborted();
  if (!isIPv4(address)) return bare('ping', 'not_applicable', `'${address}' is no IPv4 address, so it was not pinged.`);
  const started = performance.now();
  const { error, output, complaint } = await run(command, address, limits);
  limits.signal.throwIfAborted();
  if (!error) {
    const ms = parseTime(output) ?? Math.round(performance.now() - started);
    return { kind: 'ok', ms, explanation: `${address} answers a ping within ${ms} ms.` };
  }
  if (error.code === 'ENOENT') return bare('ping', 'not_applicable', 'This system has no ping.');
  const reason = reasonIn(complaint);
  // Both exit with 1 when no answer came. BusyBox also does so when it cannot send, but then it prints an error.
  if (error.killed || (error.code === 1 && reason === null)) {
    return bare('ping', 'silent', `${address} does not answer a ping; a firewall may be why.`);
  }
  return bare('ping', 'not_applicable', `No ping could be sent from here (${reason ?? `exit code ${error.code}`}).`);
}

/** Resolves when the process has ended, by itself, at the deadline, or because the signal has aborted. */
async function run(command: string, address: string, { timeout, signal }: Limits) {
  // BusyBox takes whole seconds only.
  const patience = Math.max(1, Math.floor(timeout / 1_000));
  const running = execute(command, ['-n', '-c', '1', '-W', `${patience}`, address], {
    // Node takes 0 for no limit.
    timeout: Math.max(1, timeout),
    killSignal: 'SIGKILL',
    maxBuffer: 65_536,
    env: { ...process.env, LC_ALL: 'C' },
  });
  const { child } = running;
  using _ = addAbortListener(signal, () => {
    child.kill('SIGKILL');
    // Its own children may hold them open.
    child.stdout?.destroy();
    child.stderr?.destroy();
  });
  return await running.then(
    ({ stdout }) => ({ error: null, output: stdout, complaint: '' }),
    (error: ExecFileException) => ({ error, output: '', complaint: error.stderr ?? '' }),
  );
}

/** Milliseconds: `… time=0.345 ms`, in both. Null: it does not say. */
function parseTime(output: string): number | null {
  const [, time] = /\btime[=<](\d{1,9}(?:\.\d{1,9})?) ?ms/.exec(output) ?? [];
  return time === undefined ? null : Number(time);
}

/** The most useful line of its error output, without the program's name; null: there is none. */
function reasonIn(complaint: string): string | null {
  const lines = complaint.split('\n').map(line => line.trim());
  const line = lines.find(each => /permi|denied/i.test(each)) ?? lines.find(each => each !== '');
  return line?.replace(/^\S*ping: /, '').slice(0, 200) ?? null;
}
