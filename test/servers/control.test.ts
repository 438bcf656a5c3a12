/** The control socket: its real client where that is well-behaved, and one made by hand where it is not. */
import { once } from 'node:events';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ControlOptions } from '../../src/servers/control.ts';
import { eventually } from '../eventually.ts';
import { ControlStage } from './control-stage.ts';

let stage: ControlStage;
beforeEach(async () => {
  stage = await ControlStage.open();
});
afterEach(() => stage.close());

/** A client made by hand: what it hears, and when it is gone. */
class Caller implements Disposable {
  readonly socket: Socket;
  readonly gone: Promise<unknown>;
  heard = '';

  constructor(text: string | Buffer = '') {
    this.socket = connect(stage.path).on('error', () => {});
    this.socket.on('data', chunk => {
      this.heard += chunk;
    });
    this.gone = new Promise(resolve => this.socket.once('close', resolve));
    if (text.length > 0) this.socket.write(text);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const head = (length: number) => `POST /command?vm=DSM HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`;
const shutdown = `${head(8)}shutdown`;

test('is for its owner alone, in the place of whatever was there, and gone when it is closed', async () => {
  await writeFile(stage.path, 'stale');
  const server = await stage.start();
  expect((await stat(stage.path)).mode & 0o777).toBe(0o600);
  expect(stage.log.entries).toEqual([]);
  server.close();
  server.close();
  expect(await readdir(stage.folder)).toEqual([]);
});

test('a command arrives as it was given, and every answer, up to the final one', async () => {
  await stage.start({
    submit: (vm, payload, reply) => {
      reply({ status: 'accepted', vm, payload }, false);
      setImmediate(() => reply({ status: 'progress' }, false));
      setTimeout(() => reply({ status: 'succeeded' }, true), 20);
      setTimeout(() => reply({ status: 'late' }, true), 40);
    },
  });
  const payload = '{"command":"shutdown","by":"ü\\n"}';
  expect(await stage.ask(payload)).toEqual([
    { status: 'accepted', vm: 'DSM', payload },
    { status: 'progress' },
    { status: 'succeeded' },
  ]);
});

test('a command of 8 KiB is taken, a longer one is refused', async () => {
  await stage.start();
  void stage.ask('x'.repeat(8_192)).catch(() => {});
  expect((await stage.submitted.take()).payload).toHaveLength(8_192);
  for (const length of [8_193, 3_000_000]) {
    expect(await stage.ask('x'.repeat(length))).toMatchObject([{ status: 'rejected', code: 'invalid_payload' }]);
  }
  expect(stage.submitted.all).toHaveLength(1);
});

test('whatever comes, it is refused or nothing comes of it', async () => {
  const given: unknown[] = [];
  const submit: ControlOptions['submit'] = (vm, payload, reply) => {
    given.push(vm, payload);
    reply({ code: 'taken' }, true);
  };
  await stage.start({ patience: 20, submit });
  const request = fc
    .record({ path: fc.webPath(), query: fc.webQueryParameters(), body: fc.string() })
    .map(({ path, query, body }) => `POST /command${path}?${query} HTTP/1.1\r\nhost: x\r\n\r\n${body}`);
  const anything = fc.oneof(fc.uint8Array({ maxLength: 200 }), request, fc.constant(shutdown));
  await fc.assert(
    fc.asyncProperty(anything, async bytes => {
      using caller = new Caller(Buffer.from(bytes as string));
      await caller.gone;
      expect(caller.heard).toMatch(/^(HTTP\/1.1 4\d\d |HTTP\/1.1 200 OK\r\n.*{"code":"taken"}\n|$)/s);
    }),
    { numRuns: 200 },
  );
  expect(given.every(each => typeof each === 'string')).toBe(true);
  expect(given).toContain('DSM');
});

test('who says nothing, or not all of it, is cut off; who waits for an answer is not', async () => {
  await stage.start({ patience: 300 });
  const waiting = stage.ask('shutdown');
  const { reply } = await stage.submitted.take();
  using silent = new Caller();
  using slow = new Caller('POST /command HTTP/1.1\r\n');
  using half = new Caller(`${head(100)}shut`);
  const drip = setInterval(() => slow.socket.write('a: b\r\n'), 20);
  await Promise.all([silent.gone, slow.gone, half.gone]);
  clearInterval(drip);
  reply({ status: 'succeeded' }, true);
  expect(await waiting).toEqual([{ status: 'succeeded' }]);
});

test('nine at once are one too many, until one of them has gone', async () => {
  await stage.start({
    submit: (vm, payload, reply) => {
      if (payload === 'start') reply({ status: 'succeeded' }, true);
      else stage.submitted.push({ vm, payload, reply });
    },
  });
  const end = new AbortController();
  const eight = Array.from({ length: 8 }, () => stage.ask('shutdown', { signal: end.signal }));
  for (const _ of eight) await stage.submitted.take();
  expect(await stage.ask('start')).toMatchObject([{ status: 'rejected', code: 'busy' }]);
  end.abort();
  await Promise.allSettled(eight);
  await eventually(async () => expect(await stage.ask('start')).toEqual([{ status: 'succeeded' }]));
});

test('those who say nothing keep nobody away', async () => {
  await stage.start({ patience: 60_000 });
  const silent: Caller[] = [];
  for (let nth = 0; nth < 40; nth++) {
    const caller = new Caller(['', 'POST /comm', head(9)][nth % 3]);
    await once(caller.socket, 'connect');
    silent.push(caller);
  }
  const asking = stage.ask('shutdown');
  const { reply } = await stage.submitted.take();
  reply({ status: 'succeeded' }, true);
  expect(await asking).toEqual([{ status: 'succeeded' }]);
  await Promise.all(silent.slice(0, 32).map(({ gone }) => gone));
  for (const { socket } of silent) socket.destroy();
});

test('a client that goes away takes nothing back, and its answers are dropped', async () => {
  await stage.start();
  const end = new AbortController();
  const asking = stage.ask('shutdown', { signal: end.signal });
  const { reply } = await stage.submitted.take();
  end.abort();
  await expect(asking).rejects.toBe(end.signal.reason);
  for (const _ of [1, 2, 3]) reply({ status: 'progress' }, false);
  const next = stage.ask('start');
  const { reply: other } = await stage.submitted.take();
  reply({ status: 'succeeded' }, true);
  other({ status: 'failed' }, true);
  expect(await next).toEqual([{ status: 'failed' }]);
});

test('a client that does not read is cut off before it costs much', async () => {
  await stage.start();
  using caller = new Caller(shutdown);
  caller.socket.pause();
  const { reply } = await stage.submitted.take();
  for (let i = 0; i < 2_000; i++) reply({ text: 'x'.repeat(1_000) }, false);
  caller.socket.resume();
  await caller.gone;
  expect(caller.heard.length).toBeLessThan(1_500_000);
});

test('closing ends the connections, for good', async () => {
  const server = await stage.start();
  const asking = stage.ask('shutdown');
  const { reply } = await stage.submitted.take();
  server.close();
  await expect(asking).rejects.toThrow('broke before its last answer');
  reply({}, true);
  await server.start();
  expect(await readdir(stage.folder)).toEqual([]);
});

test('without a place for it, it says so once and is done without', async () => {
  const [file, long] = [join(stage.folder, 'file'), join(stage.folder, 'x'.repeat(120))];
  await writeFile(file, '');
  await mkdir(join(stage.folder, 'taken', 'sub'), { recursive: true });
  await mkdir(long);
  for (const place of [join(long, 's'), join(file, 's'), join(stage.folder, 'taken'), join(stage.folder, 'no', 's')]) {
    const before = stage.log.entries.length;
    const server = await stage.start({ path: place });
    expect(stage.log.entries.slice(before)).toMatchObject([
      { level: 'warn', event: 'control.unavailable', path: place },
    ]);
    server.close();
  }
  expect(await readdir(join(stage.folder, 'taken'))).toEqual(['sub']);
});

test('a path of 107 bytes is short enough', async () => {
  stage.path = join(stage.folder, 'x'.repeat(107 - stage.folder.length - 1));
  await stage.start();
  void stage.ask('start').catch(() => {});
  expect((await stage.submitted.take()).vm).toBe('DSM');
  expect(stage.log.entries).toEqual([]);
});
