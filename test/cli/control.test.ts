/** The command line's end of the control socket, and what it makes of a bridge that does not answer as it should. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askControl } from '../../src/cli/control.ts';
import { ControlStage } from '../servers/control-stage.ts';

let stage: ControlStage;
beforeEach(async () => {
  stage = await ControlStage.open();
});
afterEach(() => stage.close());

const absent = 'no bridge listens at';
const broken = 'the connection to the bridge broke before its last answer';
const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';

test('says that nobody is there', async () => {
  await expect(stage.ask()).rejects.toThrow(absent);
  await writeFile(stage.path, '');
  for (const at of [stage.path, join(stage.path, 'sub'), join(stage.folder, 'x'.repeat(200))]) {
    await expect(stage.ask('shutdown', { at })).rejects.toThrow(absent);
  }
});

test('tells a bridge that is frozen from the socket of one that was killed', async () => {
  const script = `require('net').createServer().listen(${JSON.stringify(stage.path)}, () => console.log('ready'))`;
  const child = spawn(process.execPath, ['--eval', script]);
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  await expect(stage.ask('shutdown', { patience: 100 })).rejects.toThrow('the bridge does not answer within 0.1 s');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await expect(stage.ask()).rejects.toThrow(absent);
  await stage.start({ submit: (_, __, reply) => reply({}, true) });
  expect(await stage.ask()).toEqual([{}]);
});

test('waits as long as it takes once there is an answer, unless it is told to stop', async () => {
  await stage.start();
  const end = new AbortController();
  const asking = [
    stage.ask('shutdown', { patience: 1_000 }),
    stage.ask('start', { patience: 1_000, signal: end.signal }),
  ];
  const [first, second] = [await stage.submitted.take(), await stage.submitted.take()];
  for (const { reply } of [first, second]) reply({ status: 'accepted' }, false);
  setTimeout(() => first.reply({ status: 'succeeded' }, true), 1_200);
  expect(await asking[0]).toHaveLength(2);
  end.abort(new Error('enough'));
  await expect(asking[1]).rejects.toThrow('enough');
  await expect(stage.ask('shutdown', { signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow('never');
});

test.each([
  ['at once', '', 0],
  ['in its head', 'HTTP/1.1 200', 0],
  ['after an answer', `${chunked}3\r\n{}\n\r\n`, 1],
  ['in an answer', `${chunked}3\r\n{}\n\r\n9\r\n{"a`, 1],
])('hears that the connection ends %s', async (_, text, count) => {
  await stage.peer(socket => socket.once('data', () => socket.end(text)));
  const heard: object[] = [];
  const asking = async () => {
    for await (const answer of askControl(stage.path, 'DSM', 'shutdown', { patience: 60_000 })) heard.push(answer);
  };
  await expect(asking()).rejects.toThrow(broken);
  expect(heard).toHaveLength(count);
});

test('hears that the connection is reset after an answer, also while it is about something else', async () => {
  // What was never read makes of an end a reset.
  await stage.peer(socket => {
    socket.write(`${chunked}3\r\n{}\n\r\n`, () => setTimeout(() => socket.destroy(), 50));
  }, true);
  const asking = async () => {
    for await (const _ of askControl(stage.path, 'DSM', 'shutdown', { patience: 60_000 })) await delay(200);
  };
  await expect(asking()).rejects.toThrow(broken);
});

test('is gone when it stops listening', async () => {
  const gone = Promise.withResolvers<void>();
  await stage.peer(socket => {
    socket.once('data', () => socket.write(`${chunked}3\r\n{}\n\r\n`));
    socket.on('close', gone.resolve);
  });
  for await (const _ of askControl(stage.path, 'DSM', 'shutdown', { patience: 60_000 })) break;
  await gone.promise;
});

test('takes nothing for an answer that is none', async () => {
  let bytes: Buffer = Buffer.alloc(0);
  await stage.peer(socket => socket.once('data', () => socket.end(bytes)));
  const line = fc.oneof(fc.string(), fc.constantFrom('{', '7', '"x"', 'null'));
  const anything = fc.oneof(
    line.map(text => Buffer.from(`HTTP/1.1 200 OK\r\n\r\n{}\n${text}!\n`)),
    fc.uint8Array().map(each => Buffer.from(each)),
  );
  await fc.assert(
    fc.asyncProperty(anything, async given => {
      bytes = given;
      await expect(stage.ask()).rejects.toThrow(broken);
    }),
    { numRuns: 200 },
  );
  bytes = Buffer.from(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(3 << 20)}`);
  await expect(stage.ask()).rejects.toThrow('too long to be an answer');
});
