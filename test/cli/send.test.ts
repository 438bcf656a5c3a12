/** `send` to a bridge on the fakes: what its answers are to a script. */
import { expect, test } from 'vitest';
import type { CommandOptions } from '../../src/cli/command.ts';
import { send } from '../../src/cli/send.ts';
import type { Config } from '../../src/config/config.ts';
import { Running, state, vmConfig } from '../bridge/running.ts';
import { captured } from './output.ts';

type Broker = Pick<Config['mqtt'], 'url'>;

function run(running: Running, command: string, options: CommandOptions & Partial<Broker> = {}, json = true) {
  const { url, ...rest } = options;
  const call = { config: running.config(url ? { mqtt: { url } } : {}), vm: 'DSM', command, wait: true, json, ...rest };
  return captured(streams => send({ ...call, ...streams }));
}

const codes = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line).code);

test.concurrent('waits for the last word, and ends with what that means', async () => {
  await using running = await Running.start();
  const started = await run(running, 'start');
  expect(started).toMatchObject({ code: 0, stderr: '' });
  expect(codes(started.stdout)).toEqual(['accepted', 'done']);
  expect(codes((await run(running, 'start')).stdout)).toEqual(['already']);
  running.daemon.domain('DSM').guest.powerButton = 'ignored';
  const late = await run(running, 'shutdown', { timeout: '100ms' });
  expect(late).toMatchObject({ code: 4 });
  expect(codes(late.stdout)).toEqual(['accepted', 'timed_out']);
});

test.concurrent('of several brokers, the first one that answers is enough, and else each one is named', async () => {
  await using running = await Running.start();
  const dead = ['mqtt://127.0.0.1:1', 'mqtt://127.0.0.1:2'];
  const url = [...dead, `mqtt://127.0.0.1:${running.broker.port}`];
  expect(await run(running, 'start', { url })).toMatchObject({ code: 0, stderr: '' });
  const why = dead.map(each => `${each.slice(7)}: nothing listens at the broker’s address`).join('; ');
  expect(await run(running, 'start', { url: dead })).toMatchObject({ code: 3, stderr: `${why}\n` });
});

test.concurrent('an id that was used already is refused, and that is told', async () => {
  await using running = await Running.start();
  expect(await run(running, 'shutdown', { id: 'x' })).toMatchObject({ code: 0 });
  const second = await run(running, 'shutdown', { id: 'x' }, false);
  expect(second).toMatchObject({ code: 1, stdout: expect.stringContaining('rejected/duplicate') });
});

test.concurrent('3 when the bridge is offline, or goes while it is waited for', async () => {
  await using running = await Running.start();
  const domain = running.daemon.domain('DSM');
  domain.guest.powerButton = 'ignored';
  domain.start();
  await state(running.seen, ({ power }) => power === 'ON');
  const waiting = run(running, 'shutdown');
  await state(running.seen, ({ activity }) => activity === 'shutting_down');
  running.daemon.freeze();
  await running.broker.kill();
  expect(await waiting).toMatchObject({ code: 3, stderr: expect.stringContaining('unknown') });
  running.daemon.thaw();
  await running.stop();
  await running.broker.start();
  expect(await run(running, 'start')).toMatchObject({ code: 3 });
});

test.concurrent('a domain that libvirt does not have: what it has instead, and so says the check', async () => {
  await using running = await Running.prepare();
  running.daemon.define();
  const seen = await running.observe();
  await running.start({ vms: [vmConfig({ domain: 'DSMM' })] });
  await seen.take('b/bridge/state', 'online');
  const sentence = "libvirt has no domain DSMM. Did you mean 'DSM'? It has DSM.";
  const check = await seen.seen.take(({ topic, payload }) => topic === 'b/DSM/check' && payload.includes('absent'));
  expect(JSON.parse(check.payload)).toMatchObject({ verdict: 'unknown', reason: sentence });
  expect(await run(running, 'shutdown', {}, false)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(sentence),
  });
});
