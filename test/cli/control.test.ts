import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askControl, ControlError } from '../../src/cli/control.ts';
import { Control, type ControlOptions } from '../../src/servers/control.ts';
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

async function bridge(submit: ControlOptions['submit']): Promise<Control> {
  const control = new Control({ path, submit, logger: silent });
  closing.push(() => control.close());
  await control.start();
  return control;
}

/** A server that does as it is told. */
async function peer(behave: (socket: Socket) => void): Promise<Server> {
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
  return server;
}

/** All answers, and how it ended. */
async function ask(options: { patience?: number; signal?: AbortSignal; payload?: string; at?: string } = {}) {
  const { patience = 5_000, payload = 'shutdown', at = path, ...rest } = options;
  const heard: object[] = [];
  try {
    for await (const response of askControl(at, 'DSM', payload, { patience, ...rest })) heard.push(response);
    return { heard, end: 'final' };
  } catch (error) {
    return { heard, end: error instanceof ControlError ? error.code : error };
  }
}

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

test('a command that is too long is refused, not lost', async () => {
  await bridge(() => {});
  const { heard, end } = await ask({ payload: 'x'.repeat(3_000_000) });
  expect(heard).toMatchObject([{ status: 'rejected', code: 'invalid_payload' }]);
  expect(end).toBe('final');
});

test('nobody is there', async () => {
  expect(await ask()).toEqual({ heard: [], end: 'absent' });
  await writeFile(path, '');
  expect(await ask()).toEqual({ heard: [], end: 'absent' });
  expect(await ask({ at: join(path, 'sub') })).toEqual({ heard: [], end: 'absent' });
  expect(await ask({ at: join(folder, 'x'.repeat(200)) })).toEqual({ heard: [], end: 'absent' });
});

test('a socket that a killed bridge left', async () => {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('ready'))`;
  const child = spawn(process.execPath, ['--eval', script]);
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  expect(await ask({ patience: 100 })).toEqual({ heard: [], end: 'silent' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await ask()).toEqual({ heard: [], end: 'absent' });
  await bridge((_, __, reply) => reply({}, true));
  expect(await ask()).toEqual({ heard: [{}], end: 'final' });
});

test('one that is frozen does not answer in time; once it has answered it may take its time', async () => {
  await bridge((_, payload, reply) => {
    if (payload === 'never') return;
    reply({ status: 'accepted' }, false);
    setTimeout(() => reply({ status: 'succeeded' }, true), 200);
  });
  expect(await ask({ patience: 50, payload: 'never' })).toEqual({ heard: [], end: 'silent' });
  expect(await ask({ patience: 150 })).toMatchObject({ heard: [{}, {}], end: 'final' });
});

test.each<[string, (socket: Socket) => void]>([
  ['ends', socket => socket.end()],
  ['breaks', socket => socket.destroy()],
  ['breaks in a line', socket => socket.end('{"final":tr')],
])('a connection that %s', async (_, finish) => {
  await peer(socket => socket.once('data', () => finish(socket)));
  expect(await ask()).toEqual({ heard: [], end: 'lost' });
});

test('a bridge that ends in the middle', async () => {
  const control = await bridge((_, __, reply) => reply({ status: 'accepted' }, false));
  const heard: object[] = [];
  const asking = (async () => {
    for await (const response of askControl(path, 'DSM', 'shutdown', { patience: 5_000 })) {
      heard.push(response);
      control.close();
    }
  })();
  await expect(asking).rejects.toMatchObject({ code: 'lost' });
  expect(heard).toEqual([{ status: 'accepted' }]);
});

test('the signal ends it, with its reason', async () => {
  await bridge((_, __, reply) => reply({ status: 'accepted' }, false));
  const reason = new Error('enough');
  expect(await ask({ signal: AbortSignal.abort(reason) })).toEqual({ heard: [], end: reason });
  const abort = new AbortController();
  const heard: object[] = [];
  const asking = (async () => {
    for await (const response of askControl(path, 'DSM', 'shutdown', { patience: 5_000, signal: abort.signal })) {
      heard.push(response);
      abort.abort(reason);
    }
  })();
  await expect(asking).rejects.toBe(reason);
  expect(heard).toHaveLength(1);
});

test('who stops listening is gone', async () => {
  const gone = Promise.withResolvers<void>();
  await peer(socket => {
    socket.write('{"final":false,"response":{}}\n');
    socket.resume().on('close', gone.resolve);
  });
  for await (const _ of askControl(path, 'DSM', 'shutdown', { patience: 5_000 })) break;
  await gone.promise;
});

test('what is no answer is an end', async () => {
  let bytes: Buffer = Buffer.alloc(0);
  await peer(socket => socket.once('data', () => socket.end(bytes)));
  const line = fc.oneof(fc.json(), fc.string(), fc.constant('{"final":false,"response":{}}'));
  const anything = fc.oneof(
    fc.array(line).map(lines => Buffer.from(lines.map(each => `${each}\n`).join(''))),
    fc.uint8Array().map(each => Buffer.from(each)),
  );
  await fc.assert(
    fc.asyncProperty(anything, async given => {
      bytes = given;
      const { heard, end } = await ask();
      expect(end).toBe('lost');
      expect(heard.every(each => typeof each === 'object')).toBe(true);
    }),
    { numRuns: 200 },
  );
  bytes = Buffer.alloc(3 << 20, 'x');
  expect(await ask()).toEqual({ heard: [], end: 'lost' });
});
