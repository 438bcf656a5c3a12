import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Control, type ControlOptions } from '../../src/servers/control.ts';
import { eventually } from '../eventually.ts';
import { Inbox, recorder } from '../mqtt/inbox.ts';

type Reply = Parameters<ControlOptions['submit']>[2];

let folder: string;
let path: string;
let log: ReturnType<typeof recorder>;
let controls: Control[];
let submitted: Inbox<{ vm: string; payload: string; reply: Reply }>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'control-'));
  path = join(folder, 'control.sock');
  log = recorder();
  controls = [];
  submitted = new Inbox();
});
afterEach(async () => {
  for (const control of controls) control.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<ControlOptions> = {}): Promise<Control> {
  const submit: ControlOptions['submit'] = (vm, payload, reply) => submitted.push({ vm, payload, reply });
  const control = new Control({ path, submit, logger: log, ...options });
  controls.push(control);
  await control.start();
  return control;
}

/** A client made by hand. */
class Caller implements Disposable {
  readonly socket: Socket;
  readonly lines = new Inbox<unknown>();
  readonly gone: Promise<unknown>;

  constructor(text: string | Buffer = '') {
    const socket = connect(path);
    socket.on('error', () => {});
    const lines = createInterface(socket).on('line', line => this.lines.push(JSON.parse(line)));
    // It tells the socket's errors again.
    lines.on('error', () => {});
    this.gone = new Promise(resolve => socket.once('close', resolve));
    if (text.length > 0) socket.write(text);
    this.socket = socket;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

test('is for its owner alone, in the place of whatever was there, and gone when it is closed', async () => {
  await writeFile(path, 'stale');
  const control = await start();
  const { mode } = await stat(path);
  expect(mode & 0o777).toBe(0o600);
  expect(log.entries).toEqual([]);
  control.close();
  control.close();
  expect(await readdir(folder)).toEqual([]);
});

test('hands a line over and gives back each answer', async () => {
  await start();
  using caller = new Caller('{"vm":"DSM","payload":"shut');
  await once(caller.socket, 'connect');
  caller.socket.write('down"}\n');
  const { vm, payload, reply } = await submitted.take();
  expect([vm, payload]).toEqual(['DSM', 'shutdown']);
  reply({ status: 'accepted' }, false);
  expect(await caller.lines.take()).toEqual({ final: false, response: { status: 'accepted' } });
  reply({ status: 'succeeded' }, true);
  expect(await caller.lines.take()).toEqual({ final: true, response: { status: 'succeeded' } });
  await caller.gone;
  reply({ status: 'late' }, true);
});

test.each([
  ['"ON"', 'ON'],
  ['"{\\"command\\":\\"start\\"}"', '{"command":"start"}'],
  ['{"command":"start","id":"1"}', '{"command":"start","id":"1"}'],
])('the payload %s', async (payload, expected) => {
  await start({ submit: (_, given, reply) => reply({ given }, true) });
  using caller = new Caller(`{"vm":"DSM","payload":${payload}}\n{"vm":"other","payload":"never"}\n`);
  expect(await caller.lines.take()).toEqual({ final: true, response: { given: expected } });
  await caller.gone;
  expect(caller.lines.all).toHaveLength(1);
});

test('a line of 8 KiB is taken, a longer one is not', async () => {
  await start();
  const line = (length: number) => `{"vm":"DSM","payload":"${'x'.repeat(length - 26)}" }`;
  using longest = new Caller(`${line(8_192)}\n`);
  expect((await submitted.take()).payload).toHaveLength(8_166);
  for (const text of [`${line(8_193)}\n`, 'x'.repeat(1_000_000)]) {
    using caller = new Caller(text);
    const answer = { final: true, response: { status: 'rejected', code: 'invalid_payload' } };
    expect(await caller.lines.take()).toMatchObject(answer);
    await caller.gone;
  }
  expect(longest.lines.all).toEqual([]);
  expect(submitted.all).toHaveLength(1);
});

test('whatever comes, it is refused or nothing comes of it', async () => {
  const given: unknown[] = [];
  const submit: ControlOptions['submit'] = (vm, payload, reply) => {
    given.push(vm, payload);
    reply({ code: 'taken' }, true);
  };
  await start({ patience: 20, submit });
  const json = fc.oneof(
    fc.json(),
    fc.record({ vm: fc.jsonValue(), payload: fc.jsonValue() }).map(o => JSON.stringify(o)),
  );
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    json,
    json.map(text => `${text}\n`),
  );
  await fc.assert(
    fc.asyncProperty(anything, async bytes => {
      using caller = new Caller(Buffer.from(bytes as string));
      await caller.gone;
      const codes = caller.lines.all.map(line => (line as { response: { code: string } }).response.code);
      expect([[], ['taken'], ['invalid_payload']]).toContainEqual(codes);
    }),
    { numRuns: 200 },
  );
  expect(given.every(each => typeof each === 'string')).toBe(true);
});

test('who says nothing, or not all of it, is cut off; who waits for an answer is not', async () => {
  await start({ patience: 300 });
  using waiting = new Caller('{"vm":"DSM","payload":"shutdown"}\n');
  const { reply } = await submitted.take();
  using silent = new Caller();
  using slow = new Caller('{"vm":');
  const drip = setInterval(() => slow.socket.write(' '), 20);
  await Promise.all([silent.gone, slow.gone]);
  clearInterval(drip);
  reply({ status: 'succeeded' }, true);
  expect(await waiting.lines.take()).toMatchObject({ final: true });
});

test('nine at once are one too many, until one of them has gone', async () => {
  await start();
  const line = '{"vm":"DSM","payload":"shutdown"}\n';
  const eight = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const caller = new Caller(line);
      await submitted.take();
      return caller;
    }),
  );
  using ninth = new Caller(line);
  expect(await ninth.lines.take()).toMatchObject({ final: true, response: { status: 'rejected', code: 'busy' } });
  await ninth.gone;
  for (const caller of eight) caller.socket.destroy();
  await eventually(async () => {
    using next = new Caller(line);
    await submitted.take(() => true, { deadline: 100 });
    expect(next.lines.all).toEqual([]);
  });
});

test('those who say nothing keep nobody away', async () => {
  await start({ patience: 60_000 });
  const silent: Caller[] = [];
  for (let nth = 0; nth < 40; nth++) {
    const caller = new Caller(nth % 2 === 0 ? '' : '{"vm":');
    await once(caller.socket, 'connect');
    silent.push(caller);
  }
  using caller = new Caller('{"vm":"DSM","payload":"shutdown"}\n');
  const { reply } = await submitted.take();
  reply({ status: 'succeeded' }, true);
  expect(await caller.lines.take()).toMatchObject({ final: true });
  await Promise.all(silent.slice(0, 32).map(({ gone }) => gone));
  for (const { socket } of silent) socket.destroy();
});

test('a client that goes away takes nothing back, and its answers are dropped', async () => {
  await start();
  using caller = new Caller('{"vm":"DSM","payload":"shutdown"}\n');
  const { reply } = await submitted.take();
  caller.socket.destroy();
  await caller.gone;
  for (const _ of [1, 2, 3]) reply({ status: 'progress' }, false);
  using next = new Caller('{"vm":"DSM","payload":"start"}\n');
  await submitted.take();
  reply({ status: 'succeeded' }, true);
  expect(next.lines.all).toEqual([]);
});

test('a client that does not read is cut off before it costs much', async () => {
  await start();
  using caller = new Caller();
  await once(caller.socket, 'connect');
  caller.socket.pause();
  caller.socket.write('{"vm":"DSM","payload":"shutdown"}\n');
  const { reply } = await submitted.take();
  for (let i = 0; i < 2_000; i++) reply({ text: 'x'.repeat(1_000) }, false);
  caller.socket.resume();
  await caller.gone;
  expect(caller.lines.all.length).toBeLessThan(1_500);
});

test('closing ends the connections', async () => {
  const control = await start();
  using caller = new Caller('{"vm":"DSM","payload":"shutdown"}\n');
  const { reply } = await submitted.take();
  control.close();
  await caller.gone;
  reply({}, true);
  await control.start();
  expect(await readdir(folder)).toEqual([]);
});

test('without a place for it, it says so once and is done without', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await mkdir(join(folder, 'taken', 'sub'), { recursive: true });
  const long = join(folder, 'x'.repeat(120));
  await mkdir(long);
  await chmod(folder, 0o700);
  for (const place of [
    join(long, 'control.sock'),
    join(file, 'control.sock'),
    join(folder, 'taken'),
    join(folder, 'no', 's'),
  ]) {
    const before = log.entries.length;
    const control = await start({ path: place });
    expect(log.entries.slice(before)).toMatchObject([{ level: 'warn', event: 'control.unavailable', path: place }]);
    control.close();
  }
  expect(await readdir(join(folder, 'taken'))).toEqual(['sub']);
});

test('a path of 107 bytes is short enough', async () => {
  path = join(folder, 'x'.repeat(107 - folder.length - 1));
  await start();
  using _ = new Caller('{"vm":"DSM","payload":"start"}\n');
  await submitted.take();
  expect(log.entries).toEqual([]);
});
