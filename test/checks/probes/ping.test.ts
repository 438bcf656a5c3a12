import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ping } from '../../../src/checks/probes/ping.ts';
import { eventually } from '../../eventually.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ping-'));
});

afterEach(() => rm(folder, { recursive: true }));

/** A program that does what these lines of shell say. */
async function program(...lines: string[]): Promise<string> {
  const file = join(folder, 'ping');
  await writeFile(file, ['#!/bin/sh', ...lines, ''].join('\n'));
  await chmod(file, 0o755);
  return file;
}

/** What it wrote down as soon as it ran. */
async function noted(): Promise<string> {
  const file = join(folder, 'note');
  await eventually(() => expect(existsSync(file)).toBe(true), { interval: 10 });
  return (await readFile(file, 'utf8')).trim();
}

function send(
  command: string,
  { address = '127.0.0.1', timeout = 10_000, signal = new AbortController().signal } = {},
) {
  return ping({ address, command }, { timeout, signal });
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

test.each([
  ['iputils', '64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.039 ms', 0.039],
  ['BusyBox', '64 bytes from 127.0.0.1: seq=0 ttl=64 time=12.072 ms', 12.072],
  ['one that is too quick to tell', '64 bytes from 127.0.0.1: time<1 ms', 1],
])('an answer by %s', async (_, line, ms) => {
  const explanation = `127.0.0.1 answers a ping within ${ms} ms.`;
  expect(await send(await program(`echo '${line}'`))).toEqual({ kind: 'ok', ms, explanation });
});

test('an answer that does not say how long it took was measured', async () => {
  const { kind, ms } = await send(await program('exit 0'));
  expect(kind).toBe('ok');
  expect(ms).toBeGreaterThanOrEqual(0);
});

test('it is asked once, by number, in plain English, for as many whole seconds as there are', async () => {
  const command = await program(`echo "$LC_ALL: $*" > "${folder}/note"`);
  await send(command, { address: '127.9.9.9', timeout: 4_900 });
  expect(await noted()).toBe('C: -n -c 1 -W 4 127.9.9.9');
  await send(command, { timeout: 900 });
  expect(await noted()).toContain('-W 1');
});

describe('no answer', () => {
  test('is how it says so itself', async () => {
    const command = await program("echo '1 packets transmitted, 0 received, 100% packet loss, time 0ms'; exit 1");
    expect(await send(command)).toEqual({
      kind: 'silent',
      ms: null,
      explanation: '127.0.0.1 does not answer a ping; a firewall may be why.',
    });
  });

  test('or that it goes on for ever: then it is ended, with what holds on to its output', async () => {
    const command = await program(`sleep 1000 & echo $$ $! > "${folder}/note"; wait`);
    const finding = await send(command, { timeout: 500 });
    expect(finding).toMatchObject({ kind: 'silent', ms: null });
    const [pid = 0, sleeper = 0] = (await noted()).split(' ').map(Number);
    expect(isGone(pid)).toBe(true);
    process.kill(sleeper);
  });

  test('or that it floods', async () => {
    const command = await program(`echo $$ > "${folder}/note"; exec yes`);
    expect(await send(command)).toMatchObject({ kind: 'not_applicable' });
    expect(isGone(Number(await noted()))).toBe(true);
  });
});

describe('it says nothing of the guest', () => {
  test.each([
    ['iputils may not', 2, 'ping: socktype: SOCK_RAW\nping: socket: Operation not permitted', 'n not permitted)'],
    ['BusyBox may not', 1, 'ping: permission denied (are you root?)', 'permission denied'],
    ['there is no way', 2, '/bin/ping: connect: Network is unreachable', '(connect: Network is unreachable)'],
    ['of a complaint without words', 3, '', '(exit code 3)'],
  ])('when %s', async (_, code, complaint, words) => {
    const command = await program(`printf '%s' '${complaint}' >&2; exit ${code}`);
    const finding = await send(command);
    expect(finding).toMatchObject({ kind: 'not_applicable', ms: null });
    expect(finding.explanation).toContain(words);
  });

  test('when there is no such program, or none that may be run', async () => {
    expect(await send(join(folder, 'nope'))).toMatchObject({
      kind: 'not_applicable',
      explanation: 'This system has no ping.',
    });
    const command = await program('exit 0');
    await chmod(command, 0o644);
    expect(await send(command)).toMatchObject({ kind: 'not_applicable' });
  });

  test.each(['-f', 'dsm.lan', '', '::1'])('when asked of %j, which is not even tried', async address => {
    const command = await program(`touch "${folder}/note"`);
    expect(await send(command, { address })).toMatchObject({ kind: 'not_applicable' });
    expect(existsSync(join(folder, 'note'))).toBe(false);
  });
});

describe('told to stop', () => {
  test('beforehand, it starts nothing', async () => {
    const command = await program(`touch "${folder}/note"`);
    await expect(send(command, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    expect(existsSync(join(folder, 'note'))).toBe(false);
  });

  test('meanwhile, it ends what it has started', async () => {
    const command = await program(`echo $$ > "${folder}/note"; exec sleep 1000`);
    const controller = new AbortController();
    const sent = send(command, { timeout: 60_000, signal: controller.signal });
    const stopped = expect(sent).rejects.toThrow('stop');
    const pid = Number(await noted());
    controller.abort(new Error('stop'));
    await stopped;
    expect(isGone(pid)).toBe(true);
  });
});
