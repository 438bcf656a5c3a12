import { existsSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/** Processes of the lab, and where they listen. */

/** Resolves when something answers there. */
export function reachable(target: { path: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(target);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Of the process that this file names; undefined: it is not running. */
export function pidFrom(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  return pid > 0 && existsSync(`/proc/${pid}`) ? pid : undefined;
}

export function signalTo(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) throw new Error(`no process for ${signal}: it is not running`);
  process.kill(pid, signal);
}

/** One of loopback. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      server.close(() => (bound && typeof bound === 'object' ? resolve(bound.port) : reject(new Error('no port'))));
    });
  });
}
