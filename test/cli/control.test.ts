/** How the command line asks the bridge on this machine, and what it makes of one that does not answer as it should. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askControl } from '../../src/cli/control.ts';
import { type ControlOptions, controlServer } from '../../src/servers/control.ts';
import { silent } from '../../src/util/logger.ts';

let folder: string;
let path: string;
let closing: (() => void)[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ask-'));
  path = join(folder, 'control.sock');
  closing = [];
});
afterEach(async () => {
  for (const close of closing) close();
  await rm(folder, { recursive: true, force: true });
});

async function bridge(submit: ControlOptions['submit']) {
  const control = controlServer({ path, submit, logger: silent });
  closing.push(() => control.close());
  await control.start();
  return control;
}

/** A server that does as it is told. */
async function peer(behave: (socket: Socket) => void): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    behave(socket);
  }).listen(path);
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server, 'listening');
}

/** All answers, and what ended them. */
async function ask(options: { patience?: number; signal?: AbortSignal; payload?: string; at?: string } = {}) {
  const { patience = 5_000, payload = 'shutdown', at = path, ...rest } = options;
  const heard: object[] = [];
  try {
    for await (const response of askControl(at, 'DSM', payload, { patience, ...rest })) heard.push(response);
    return { heard, end: 'final' };
  } catch (error) {
    return { heard, end: (error as Error).message };
  }
}

const absent = { heard: [], end: expect.stringMatching(/^no bridge listens at/) };
const broken = 'the connection to the bridge broke before its last answer';

test('every answer, up to the last one', async () => {
  await bridge((vm, payload, reply) => {
    reply({ status: 'accepted', vm, payload }, false);
    setImmediate(() => reply({ status: 'progress' }, false));
    setTimeout(() => reply({ status: 'succeeded' }, true), 20);
  });
  const payload = '{"command":"shutdown","by":"ü\\n"}';
  expect(await ask({ payload })).toEqual({
    heard: [{ status: 'accepted', vm: 'DSM', payload }, { status: 'progress' }, { status: 'succeeded' }],
    end: 'final',
  });
});

test('nobody is there', async () => {
  expect(await ask()).toEqual(absent);
  await writeFile(path, '');
  expect(await ask()).toEqual(absent);
  expect(await ask({ at: join(path, 'sub') })).toEqual(absent);
  expect(await ask({ at: join(folder, 'x'.repeat(200)) })).toEqual(absent);
});

test('a socket that a killed bridge left', async () => {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('ready'))`;
  const child = spawn(process.execPath, ['--eval', script]);
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  expect(await ask({ patience: 100 })).toEqual({ heard: [], end: 'the bridge does not answer within 0.1 s' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await ask()).toEqual(absent);
  await bridge((_, __, reply) => reply({}, true));
  expect(await ask()).toEqual({ heard: [{}], end: 'final' });
});

test('one that is frozen does not answer in time; once it has answered it may take its time', async () => {
  await bridge((_, payload, reply) => {
    if (payload === 'never') return;
    reply({ status: 'accepted' }, false);
    setTimeout(() => reply({ status: 'succeeded' }, true), 400);
  });
  expect(await ask({ patience: 50, payload: 'never' })).toEqual({
    heard: [],
    end: 'the bridge does not answer within 0.05 s',
  });
  expect(await ask({ patience: 300 })).toMatchObject({ heard: [{}, {}], end: 'final' });
});

const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';

test.each([
  ['at once', '', 0],
  ['in its head', 'HTTP/1.1 200', 0],
  ['after an answer', `${chunked}3\r\n{}\n\r\n`, 1],
  ['in an answer', `${chunked}3\r\n{}\n\r\n9\r\n{"a`, 1],
])('a connection that ends %s', async (_, text, count) => {
  await peer(socket => socket.once('data', () => socket.end(text)));
  const { heard, end } = await ask();
  expect(heard).toHaveLength(count);
  expect(end).toContain(broken);
});

test('the signal ends it, with its reason', async () => {
  const control = await bridge((_, __, reply) => reply({ status: 'accepted' }, false));
  const reason = new Error('enough');
  expect(await ask({ signal: AbortSignal.abort(reason) })).toEqual({ heard: [], end: 'enough' });
  const abort = new AbortController();
  const heard: object[] = [];
  const asking = (async () => {
    for await (const response of askControl(path, 'DSM', 'shutdown', { patience: 5_000, signal: abort.signal })) {
      heard.push(response);
      abort.abort(reason);
    }
  })();
  await expect(asking).rejects.toBe(reason);
  expect(heard).toEqual([{ status: 'accepted' }]);
  control.close();
});

test('who stops listening is gone', async () => {
  const gone = Promise.withResolvers<void>();
  await peer(socket => {
    socket.once('data', () => socket.write(`${chunked}3\r\n{}\n\r\n`));
    socket.on('close', gone.resolve);
  });
  for await (const _ of askControl(path, 'DSM', 'shutdown', { patience: 5_000 })) break;
  await gone.promise;
});

test('what is no answer is an end', async () => {
  let bytes: Buffer = Buffer.alloc(0);
  await peer(socket => socket.once('data', () => socket.end(bytes)));
  const line = fc.oneof(fc.string(), fc.constantFrom('{', '7', '"x"', 'null'));
  const anything = fc.oneof(
    line.map(text => Buffer.from(`HTTP/1.1 200 OK\r\n\r\n{}\n${text}!\n`)),
    fc.uint8Array().map(each => Buffer.from(each)),
  );
  await fc.assert(
    fc.asyncProperty(anything, async given => {
      bytes = given;
      const { heard, end } = await ask();
      expect(end).toContain(broken);
      expect(heard.every(each => typeof each === 'object')).toBe(true);
    }),
    { numRuns: 200 },
  );
  bytes = Buffer.from(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(3 << 20)}`);
  expect(await ask()).toEqual({ heard: [], end: expect.stringContaining('too long to be an answer') });
});
