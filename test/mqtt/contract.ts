/** What the client promises with any broker. Each test has a broker of its own, and a proxy to break the line with. */

import { describe, expect, test } from 'vitest';
import { slow } from '../eventually.ts';
import type { StartBroker } from './broker.ts';
import { Observer } from './observer.ts';
import { startProxy } from './proxy.ts';
import { delivered, state, subject, WILL } from './subject.ts';

export function contract(name: string, start: StartBroker): void {
  describe(name, () => {
    test('connects, subscribes, publishes and receives', async () => {
      await using broker = await start();
      await using observer = await Observer.start(broker, '#');
      await using client = subject(`mqtt://127.0.0.1:${broker.port}`);
      expect(client.connected).toBe(false);
      expect(await client.opened.take()).toEqual({ version: broker.version, refused: [] });
      expect(client.connected).toBe(true);

      expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
      expect(await observer.take('b/vm/state')).toMatchObject({ payload: 'on' });
      expect(await delivered(client, state('b/vm/stats', '{}', { qos: 0, retain: false }))).toBe(true);
      await observer.take('b/vm/stats');
      await observer.publish('b/vm/command', 'start');
      expect(await client.messages.take()).toMatchObject({ topic: 'b/vm/command', qos: 1, retain: false });
      expect(client.log.entries.map(({ event }) => event)).toEqual(['mqtt.connected']);
    });

    test('tells a stored message from a live one', async () => {
      await using broker = await start();
      await using observer = await Observer.start(broker, 'none');
      await observer.publish('b/old/command', 'stored', true);
      await using client = subject(`mqtt://127.0.0.1:${broker.port}`, {
        subscriptions: ['b/+/command', 'b/bridge/state'],
      });
      expect(await client.messages.take()).toMatchObject({ topic: 'b/old/command', retain: true });
      await observer.publish('b/bridge/state', 'live', true);
      expect(await client.messages.take()).toMatchObject({ topic: 'b/bridge/state', retain: false });
    });

    test('a live message that its sender wants stored says so on MQTT 5, and cannot on 3.1.1', async () => {
      await using broker = await start();
      await using observer = await Observer.start(broker, 'none');
      await using client = subject(`mqtt://127.0.0.1:${broker.port}`);
      await client.opened.take();
      await observer.publish('b/new/command', 'live', true);
      const retain = broker.version === '5.0';
      expect(await client.messages.take()).toMatchObject({ topic: 'b/new/command', retain });
    });

    test('leaves its will when the line is cut, and comes back', async () => {
      await using broker = await start();
      await using proxy = await startProxy(broker.port);
      await using observer = await Observer.start(broker, '#');
      await using client = subject(proxy.url);
      for (const round of [1, 2, 3]) {
        await client.opened.take();
        await delivered(client, state(WILL.topic, 'online'));
        await observer.take(WILL.topic, 'online');
        proxy.cut();
        await observer.take(WILL.topic, 'offline');
        await client.failures.take();
        expect(client.log.of('mqtt.disconnected')).toHaveLength(round);
      }
      await client.opened.take();
      await observer.publish('b/vm/command', 'start');
      await client.messages.take();
    });

    test('keeps nothing for a broker that is away, and tells the outage once', async () => {
      await using broker = await start();
      await using proxy = await startProxy(broker.port);
      await using client = subject(proxy.url);
      await client.opened.take();
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
      expect(client.log.entries.map(({ event }) => event)).toEqual([
        'mqtt.connected',
        'mqtt.disconnected',
        'mqtt.connected',
      ]);
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
      await using broker = await start();
      await using proxy = await startProxy(broker.port);
      const pace = { lost: { first: 5, cap: 20 }, takenOver: { first: 60_000, cap: 60_000 } };
      await using one = subject(proxy.url, { pace });
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
      expect(connections).toBeLessThan(20);
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
      await right.opened.take();
    });

    test('serves without a subscription that is refused', async () => {
      await using broker = await start({ forbidden: 'secret/#' });
      await using observer = await Observer.start(broker, 'none');
      const url = `mqtt://127.0.0.1:${broker.port}`;
      await using client = subject(url, { subscriptions: ['b/+/command', 'secret/#', 'b/status'] });
      expect((await client.opened.take()).refused).toEqual(['secret/#']);
      expect(client.log.of('mqtt.subscription_refused')).toMatchObject([{ level: 'error', topics: ['secret/#'] }]);
      await observer.publish('b/vm/command', 'start');
      await client.messages.take();
    });

    test('closes with its last words, not its will', async () => {
      await using broker = await start();
      await using observer = await Observer.start(broker, '#');
      const client = subject(`mqtt://127.0.0.1:${broker.port}`);
      await client.opened.take();
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
      await using broker = await start();
      await using proxy = await startProxy(broker.port);
      await using client = subject(proxy.url, { keepalive: 1 });
      await client.opened.take();
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
      await using broker = await start();
      await using proxy = await startProxy(broker.port);
      await using observer = await Observer.start(broker, '#');
      await using client = subject(proxy.url);
      await client.opened.take();
      proxy.freeze();
      const sample = Buffer.alloc(16 * 1024, 'x');
      let taken = 0;
      for (let n = 0; n < 2_000; n++) {
        if (client.publish({ topic: 'b/vm/stats', payload: sample, qos: 0, retain: false })) taken += 1;
        for (const key of ['one', 'two', 'three']) client.publish(state(`b/${key}/state`, `${n}`));
        if (n % 100 === 0) await new Promise(setImmediate);
      }
      expect(taken).toBeLessThan(slow);
      expect(client.log.of('mqtt.congested')).toHaveLength(1);
      proxy.thaw();
      for (const key of ['one', 'two', 'three']) await observer.take(`b/${key}/state`, '1999');
      expect(observer.seen.all.filter(({ topic }) => topic.endsWith('/state')).length).toBeLessThan(200);
      // The same session all along.
      expect(client.opened.all).toHaveLength(1);
    });
  });
}
