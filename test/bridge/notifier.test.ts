/** Who is told over HTTP: what, when, and what becomes of it when the other side fails. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { Notifier, type Webhook } from '../../src/bridge/notifier.ts';
import { type Notice, usualNotices } from '../../src/model/notice/notice.ts';
import { notificationTypes } from '../../src/model/notice/notification.ts';
import { State, States } from '../../src/model/state.ts';
import { eventually } from '../eventually.ts';
import { vmOf } from '../model/samples.ts';
import { recorder } from '../mqtt/inbox.ts';
import { Running } from './running.ts';

interface Heard {
  body: string;
  headers: IncomingHttpHeaders;
  path: string;
}

/** An address that is told. `answer`: a status, or none. */
class Ear implements AsyncDisposable {
  readonly heard: Heard[] = [];
  answer: number | null = 200;
  #server: Server;
  #port = 0;

  private constructor() {
    this.#server = this.#serve();
  }

  static async open(): Promise<Ear> {
    const ear = new Ear();
    await ear.listen();
    return ear;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/secret`;
  }

  get told(): Notice[] {
    return this.heard.map(({ body }) => JSON.parse(body));
  }

  async listen(): Promise<void> {
    this.#server = this.#serve().listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await this.#server[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose] = () => this.close();

  #serve(): Server {
    return createServer(async (request, response) => {
      const body = await text(request);
      this.heard.push({ body, headers: request.headers, path: request.url ?? '' });
      if (this.answer !== null) response.writeHead(this.answer).end('well');
    });
  }
}

const times = { patience: 10_000, first: 10, cap: 20 };
const at = '2026-11-30T10:00:00.000Z';

function notifier(url: string, changes: Partial<Webhook> = {}, more: Partial<typeof times> = {}) {
  const log = recorder();
  const state = new State({ DSM: vmOf({ label: 'Büro-NAS' }) });
  const states = new States([state]);
  const webhook: Webhook = { url, format: 'json', on: notificationTypes, token: null, ...changes };
  const it = new Notifier([webhook], { instance: 'nas', states, logger: log, times: { ...times, ...more } });
  const started = (nth: number) => it.tell('DSM', { event_type: 'started', at, reason: `${nth}` });
  return { it, log, state, started, [Symbol.dispose]: () => it.close() };
}

test('JSON: what is on the event topic, for which VM, and in words; with the token', async () => {
  await using ear = await Ear.open();
  using told = notifier(ear.url, { token: 'tk_1' });
  told.it.tell('DSM', { event_type: 'shut_down', at, reason: 'shutdown', by: 'ups', seconds: 31 });
  await eventually(() => expect(ear.heard).toHaveLength(1));
  expect(ear.told[0]).toEqual({
    ...{ event_type: 'shut_down', at, reason: 'shutdown', by: 'ups', seconds: 31 },
    ...{ instance: 'nas', vm: 'DSM', title: 'Büro-NAS', text: 'The guest powered off: shutdown', urgent: false },
  });
  expect(ear.heard[0]?.headers).toMatchObject({ authorization: 'Bearer tk_1', 'content-type': 'application/json' });
});

test('ntfy: a text, with its title, priority and tag as headers', async () => {
  await using ear = await Ear.open();
  using told = notifier(ear.url, { format: 'ntfy' });
  told.it.tell('DSM', { event_type: 'command_failed', at, command: 'reset', message: 'QEMU says no.' });
  await eventually(() => expect(ear.heard).toHaveLength(1));
  const [{ body, headers } = { body: '', headers: {} as IncomingHttpHeaders }] = ear.heard;
  expect(body).toBe('Reset: a command has failed: QEMU says no.');
  expect(headers).toMatchObject({ priority: 'high', tags: 'warning' });
  expect(headers['title']).toBe(`=?UTF-8?B?${Buffer.from('Büro-NAS').toString('base64')}?=`);
});

test('only what it wants; by default what somebody should look at', async () => {
  await using ear = await Ear.open();
  using told = notifier(ear.url, { on: usualNotices });
  told.started(1);
  told.it.tell('DSM', { event_type: 'crashed', at });
  await eventually(() => expect(ear.told.map(({ event_type }) => event_type)).toEqual(['crashed']));
});

test('no alarm in quiet time; what is no alarm is told', async () => {
  await using ear = await Ear.open();
  using told = notifier(ear.url);
  const quiet = (quiet: { until: string; by: null } | null) =>
    told.state.dispatch({ type: 'quiet', key: 'DSM', quiet, by: null, at });
  quiet({ until: at, by: null });
  told.it.tell('DSM', { event_type: 'crashed', at });
  told.started(1);
  quiet(null);
  told.it.tell('DSM', { event_type: 'power_cut', at });
  await eventually(() => expect(ear.told.map(({ event_type }) => event_type)).toEqual(['started', 'power_cut']));
});

describe('the other side fails', () => {
  test('it is away: all is told later, once, in its order, and the log says it once', async () => {
    await using ear = await Ear.open();
    using told = notifier(ear.url);
    await ear.close();
    for (const nth of [1, 2, 3]) told.started(nth);
    await eventually(() => expect(told.log.of('notify.failed')).toHaveLength(1));
    await ear.listen();
    await eventually(() => expect(ear.told.map(({ reason }) => reason)).toEqual(['1', '2', '3']));
    await eventually(() => expect(told.log.of('notify.delivered')).toHaveLength(1));
    expect(told.log.of('notify.failed')).toHaveLength(1);
  });

  test.each([500, 503, 429, 408])('%i: it is sent again', async status => {
    await using ear = await Ear.open();
    ear.answer = status;
    using told = notifier(ear.url);
    told.started(1);
    await eventually(() => expect(ear.heard.length).toBeGreaterThan(2));
    ear.answer = 200;
    await eventually(() => expect(told.log.of('notify.delivered')).toHaveLength(1));
    const before = ear.heard.length;
    told.started(2);
    await eventually(() => expect(ear.told.at(-1)?.reason).toBe('2'));
    expect(ear.heard.length).toBe(before + 1);
  });

  test.each([301, 400, 401, 404])('%i: it is given up, and the next one is sent', async status => {
    await using ear = await Ear.open();
    ear.answer = status;
    using told = notifier(ear.url);
    told.started(1);
    told.started(2);
    await eventually(() => expect(told.log.of('notify.refused')).toHaveLength(2));
    expect(ear.told.map(({ reason }) => reason)).toEqual(['1', '2']);
    // The path may be a secret.
    expect(JSON.stringify(told.log.entries)).not.toContain('secret');
  });

  test('it hangs: the request ends, and is made again', async () => {
    await using ear = await Ear.open();
    ear.answer = null;
    using told = notifier(ear.url, {}, { patience: 50 });
    told.started(1);
    await eventually(() => expect(ear.heard.length).toBeGreaterThan(1));
    expect(JSON.stringify(told.log.of('notify.failed'))).toContain('no answer in time');
  });

  test('more than a hundred wait: the newest stay', async () => {
    await using ear = await Ear.open();
    await ear.close();
    using told = notifier(ear.url);
    for (let nth = 1; nth <= 150; nth++) told.started(nth);
    expect(told.log.of('notify.dropped')).toHaveLength(1);
    await ear.listen();
    await eventually(() => expect(ear.heard).toHaveLength(100));
    expect(ear.told.slice(0, 2).map(({ reason }) => reason)).toEqual(['1', '52']);
    await eventually(() => expect(told.log.of('notify.delivered')).toMatchObject([{ given_up: 50 }]));
  });

  test('the bridge ends: nothing is sent any more', async () => {
    await using ear = await Ear.open();
    ear.answer = 500;
    const told = notifier(ear.url);
    told.started(1);
    await eventually(() => expect(ear.heard.length).toBeGreaterThan(0));
    told.it.close();
    told.started(2);
    ear.answer = 200;
    const before = ear.heard.length;
    using other = notifier(ear.url);
    other.started(3);
    await eventually(() => expect(ear.told.at(-1)?.reason).toBe('3'));
    expect(ear.heard.length - before).toBeLessThanOrEqual(2);
    expect(ear.told.some(({ reason }) => reason === '2')).toBe(false);
  });
});

describe('a whole bridge', () => {
  test('tells also while the broker is away', async () => {
    await using ear = await Ear.open();
    const notify = [{ url: ear.url, format: 'json', on: ['started', 'shut_down'], token: null } as const];
    await using running = await Running.start({ notify: notify.map(each => ({ ...each, on: [...each.on] })) });
    await running.broker.kill();
    running.daemon.domain('DSM').start();
    await eventually(() => expect(ear.told).toMatchObject([{ event_type: 'started', vm: 'DSM', title: 'DSM VM' }]));
    running.daemon.domain('DSM').powerOff();
    await eventually(() => expect(ear.told.at(-1)).toMatchObject({ event_type: 'shut_down', instance: 'nas' }));
  });

  test('its heart beats while all is well, and only then', async () => {
    await using ear = await Ear.open();
    await using running = await Running.start({ heartbeat: { url: ear.url, interval: 50 } });
    const next = async () => {
      const before = ear.heard.length;
      await eventually(() => expect(ear.heard.length).toBeGreaterThan(before + 1));
    };
    await next();
    ear.answer = 500;
    await eventually(() => expect(running.log.of('heartbeat.failed')).toHaveLength(1));
    ear.answer = 200;
    await eventually(() => expect(running.log.of('heartbeat.taken')).toHaveLength(1));
    await running.daemon.kill();
    await running.seen.take('b/DSM/availability', 'offline');
    // One may be on its way.
    const before = ear.heard.length;
    await running.daemon.listen();
    await running.seen.take('b/DSM/availability', 'online');
    expect(ear.heard.length).toBeLessThanOrEqual(before + 1);
    await next();
  });
});
