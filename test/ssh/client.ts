import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type ConnectOptions, connect } from '../../src/ssh/connect.ts';
import type { Sshd } from '../fakes/sshd.ts';

export const never = new AbortController().signal;

/** The way into a server, with the password that it takes. */
export function way({ host, port, fingerprint }: Sshd, more: Partial<ConnectOptions> = {}): ConnectOptions {
  return { host, port, user: 'tc', password: 'secret', hostKeys: [fingerprint], within: 10_000, ...more };
}

export function login(server: Sshd, more: Partial<ConnectOptions> = {}) {
  return connect(way(server, more), never);
}

/** A folder of each test's own; gives the path of a name in it. */
export function ownFolder(): (name: string) => string {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ssh-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  return name => join(folder, name);
}

/** A promise's error. */
export async function failure<T>(promise: Promise<unknown>, kind: new (...args: never[]) => T): Promise<T> {
  const outcome = await promise.then(
    value => ({ value }),
    error => ({ error }),
  );
  if ('error' in outcome && outcome.error instanceof kind) return outcome.error;
  throw new Error(`not a ${kind.name}: ${JSON.stringify(outcome)}`, { cause: outcome });
}
