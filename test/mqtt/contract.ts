/** What the client promises with any broker. Each test has a broker of its own, and a proxy to break the line with. */

import { describe, expect, test } from 'vitest';
import type { MqttClientOptions } from '../../src/mqtt/client.ts';
import { slow } from '../eventually.ts';
import type { BrokerRules, StartBroker } from './broker.ts';
import { Observer } from './observer.ts';
import { startProxy } from './proxy.ts';
import { delivered, state, subject, WILL } from './subject.ts';

export function contract(name: string, start: StartBroker): void {
  /** A broker, somebody who hears all, and a client behind a proxy. `before`: what happens before the client comes. */
  async function setUp(
    options: Partial<MqttClientOptions> = {},
    rules: BrokerRules = {},
    before: (observer: Observer) => Promise<void> = async () => {},
  ) {
    await using stack = new AsyncDisposableStack();
    const broker = stack.use(await start(rules));
    const proxy = stack.use(await startProxy(broker.port));
    const observer = stack.use(await Observer.start(broker, '#'));
    await before(observer);
    const client = stack.use(subject(proxy.url, options));
    await client.opened.take();
    const owned = stack.move();
    return { broker, proxy, observer, client, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  }

  describe(name, () => {
    test('connects, subscribes, publishes and receives', async () => {
      await using it = await setUp();
      const { client, observer, broker } = it;
      expect(client.connected).toBe(true);
      expect(client.opened.all).toEqual([{ version: broker.version, refused: [] }]);
      expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
      expect(await observer.take('b/vm/state')).toMatchObject({ payload: 'on' });
      expect(await delivered(client, state('b/vm/stats', '{}', { qos: 0, retain: false }))).toBe(true);
      await observer.take('b/vm/stats');
      await observer.publish('b/vm/command', 'start');
      expect(await client.messages.take()).toMatchObject({ topic: 'b/vm/command', qos: 1, retain: false });
      expect(client.log.entries.map(({ event }) => event)).toEqual(['mqtt.connected']);
    });

    test('tells a stored message from a live one', async () => {
      await using it = await setUp({ subscriptions: ['b/+/command', 'b/bridge/state'] }, {}, async observer => {
        await observer.publish('b/old/command', 'stored', true);
        await observer.publish('b/bridge/state', 'stored', true);
      });
      const blind = it.broker.differences?.includes('wildcards get no stored messages');
      for (const topic of ['b/bridge/state', ...(blind ? [] : ['b/old/command'])]) {
        await it.client.messages.take(message => message.topic === topic && message.retain);
      }
      await it.observer.publish('b/bridge/state', 'live', true);
      expect(await it.client.messages.take()).toMatchObject({ topic: 'b/bridge/state', retain: false });
      expect(it.client.messages.all).toHaveLength(blind ? 2 : 3);
    });

    test('a live message that its sender wants stored says so on MQTT 5, and cannot on 3.1.1', async () => {
      await using it = await setUp();
      await it.observer.publish('b/new/command', 'live', true);
      const retain = it.broker.version === '5.0';
      expect(await it.client.messages.take()).toMatchObject({ topic: 'b/new/command', retain });
    });

    test('leaves its will when the line is cut, and comes back', async () => {
      await using it = await setUp();
      const { client, observer, proxy } = it;
      for (const round of [1, 2, 3]) {
        await delivered(client, state(WILL.topic, 'online'));
        await observer.take(WILL.topic, 'online');
        proxy.cut();
        await observer.take(WILL.topic, 'offline');
        await client.failures.take();
        expect(client.log.of('mqtt.disconnected')).toHaveLength(round);
        await client.opened.take();
      }
      await observer.publish('b/vm/command', 'start');
      expect(await client.messages.take()).toMatchObject({ topic: 'b/vm/command' });
    });

    test('keeps nothing for a broker that is away, and logs the outage once', async () => {
      await using it = await setUp();
      const { client, proxy, broker } = it;
      // In flight when the line breaks: the broker never sees it.
      proxy.freeze();
      const fate = delivered(client, state('b/vm/event', 'in flight', { retain: false }));
      await broker.kill();
      proxy.cut();
      await client.failures.take();
      expect(await fate).toBe(false);
      expect(client.connected).toBe(false);
      expect(client.publish(state('b/vm/state', 'while away'))).toBe(false);
      expect(await delivered(client, state('b/vm/stats', 'while away', { qos: 0 }))).toBe(false);
      proxy.thaw();
      await broker.start();
      await client.opened.take();
      await using observer = await Observer.start(broker, '#');
      await delivered(client, state('b/vm/state', 'now'));
      await observer.take('b/vm/state');
      expect(observer.seen.all.map(({ payload }) => payload)).toEqual(['now']);
      const events = client.log.entries.map(({ event }) => event);
      expect(events).toEqual(['mqtt.connected', 'mqtt.disconnected', 'mqtt.connected']);
    });

    test('waits for a broker that is not there yet', async () => {
      await using broker = await start();
      await broker.kill();
      await using client = subject(`mqtt://127.0.0.1:${broker.port}`);
      expect((await client.failures.take()).code).toBe('unreachable');
      await broker.start();
      await client.opened.take();
      expect(client.log.of('mqtt.disconnected')).toMatchObject([
        { level: 'warn', code: 'unreachable', broker: `127.0.0.1:${broker.port}` },
      ]);
    });

    test('does not fight for its client id', async () => {
      const pace = { lost: { first: 5, cap: 20 }, takenOver: { first: 60_000, cap: 60_000 } };
      await using it = await setUp({ pace });
      const { client: one, proxy } = it;
      await using two = subject(proxy.url, { pace });
      const beaten = await Promise.race(
        [one, two].map(async each => {
          const failure = await each.failures.take(({ code }) => code === 'taken_over');
          expect(failure.message).toContain('the same client id');
          return each;
        }),
      );
      expect(beaten.log.entries.at(-1)).toMatchObject({ level: 'error', event: 'mqtt.disconnected' });
      const winner = beaten === one ? two : one;
      while (!winner.connected) await winner.opened.take();
      const connections = proxy.count();
      expect(connections).toBeLessThan(30);
      expect(await delivered(winner, state('b/vm/state', 'on'))).toBe(true);
      expect(proxy.count()).toBe(connections);
    });

    test('says that the password is wrong', async () => {
      await using broker = await start({ user: { name: 'bridge', password: 'right' } });
      const url = `mqtt://127.0.0.1:${broker.port}`;
      await using wrong = subject(url, { username: 'bridge', password: 'wrong' });
      expect(await wrong.failures.take()).toMatchObject({ code: 'credentials', needsPerson: true });
      expect(wrong.log.of('mqtt.disconnected')).toMatchObject([{ level: 'error', code: 'credentials' }]);
      expect(JSON.stringify(wrong.log.entries)).not.toContain('wrong');
      await using right = subject(url, { username: 'bridge', password: 'right' });
      expect((await right.opened.take()).refused).toEqual([]);
    });

    test('serves without a subscription that is refused', async () => {
      await using it = await setUp(
        { subscriptions: ['b/+/command', 'secret/#', 'b/status'] },
        { forbidden: 'secret/#' },
      );
      const { client, observer, broker } = it;
      if (broker.differences?.includes('hangs up after a refused subscription')) {
        const { message } = await client.failures.take(({ code }) => code === 'credentials');
        expect(message).toContain('after it refused secret/#');
        return;
      }
      expect(client.opened.all).toMatchObject([{ refused: ['secret/#'] }]);
      expect(client.log.of('mqtt.subscription_refused')).toMatchObject([{ level: 'error', topics: ['secret/#'] }]);
      await observer.publish('b/vm/command', 'start');
      expect(await client.messages.take()).toMatchObject({ topic: 'b/vm/command' });
    });

    test('closes with its last words, not its will', async () => {
      await using it = await setUp();
      const { client, observer } = it;
      const closing = client.close(state(WILL.topic, 'goodbye'));
      expect(client.publish(state('b/vm/state', 'late'))).toBe(false);
      expect(client.close()).toBe(closing);
      await closing;
      await observer.take(WILL.topic, 'goodbye');
      // What the broker had to say about the end of the session comes before this.
      await observer.publish('marker', '');
      await observer.take('marker');
      expect(observer.seen.all.map(({ payload }) => payload)).toEqual(['goodbye', '']);
      expect(client.log.of('mqtt.disconnected')).toEqual([]);
      client.start();
      expect(client.connected).toBe(false);
    });

    test('notices silence, and closes in spite of it', async () => {
      await using it = await setUp({ keepalive: 1 });
      const { client, proxy } = it;
      proxy.freeze();
      expect((await client.failures.take()).code).toBe('silent');
      proxy.thaw();
      await client.opened.take();
      proxy.freeze();
      const before = performance.now();
      await client.close(state(WILL.topic, 'goodbye'));
      expect(performance.now() - before).toBeLessThan(slow);
    });

    test('stays bounded while the broker does not read, and then tells the newest state', async () => {
      await using it = await setUp();
      const { client, proxy, observer } = it;
      proxy.freeze();
      const sample = Buffer.alloc(16 * 1024, 'x');
      let taken = 0;
      for (let n = 0; n < 2_000; n++) {
        if (client.publish({ topic: 'b/vm/stats', payload: sample, qos: 0, retain: false })) taken += 1;
        for (const key of ['one', 'two', 'three']) client.publish(state(`b/${key}/state`, `${n}`));
        if (n % 100 === 0) await new Promise(setImmediate);
      }
      // 32 MB would not fit into the buffers of the way there.
      expect(taken).toBeLessThan(2_000);
      expect(client.log.of('mqtt.congested')).toHaveLength(1);
      proxy.thaw();
      for (const key of ['one', 'two', 'three']) await observer.take(`b/${key}/state`, '1999');
      expect(observer.seen.all.filter(({ topic }) => topic.endsWith('/state')).length).toBeLessThan(200);
      // The same session all along.
      expect(client.opened.all).toHaveLength(1);
    });
  });
}
