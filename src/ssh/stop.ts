import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientChannel } from 'ssh2';
import type { Shell } from './shell.ts';
import type { Stream } from './stream.ts';
import { killCommand } from './wrap.ts';

/**
 * Ends a command and all that it started, TERM first and KILL after, each in two ways: as SSH's own signal, which old
 * servers ignore and dropbear hands to the first process alone, and from a second command that signals the group.
 * Resolves when nobody holds its output any more, or when there is nothing left to try.
 */
export async function stop(shell: Shell, channel: ClientChannel, stream: Stream, grace: number): Promise<void> {
  for (const name of ['TERM', 'KILL'] as const) {
    if (stream.over || shell.over) return;
    channel.signal(name);
    const over = new AbortController();
    const killed = stream.group === null ? null : kill(shell, stream.group, name, over.signal);
    const time = sleep(grace, undefined, { signal: over.signal }).catch(() => {});
    await Promise.race([stream.ended, shell.closed, time]);
    // Not left on its way: the next command might meet it.
    await Promise.race([killed, shell.closed, time]);
    over.abort();
  }
}

/** Resolves when that has been done, as far as it can: a session may be full, or lost. */
async function kill(shell: Shell, group: number, name: 'TERM' | 'KILL', signal: AbortSignal): Promise<void> {
  const begin = (channel: ClientChannel) =>
    new Promise<void>(resolve => {
      channel.on('error', () => {});
      channel.once('close', resolve);
      channel.resume();
      channel.stderr.resume();
      signal.addEventListener('abort', () => channel.close(), { once: true });
    });
  await shell.exec(killCommand(group, name), { signal }, begin).catch(() => {});
}
