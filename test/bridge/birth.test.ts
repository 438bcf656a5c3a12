/** Home Assistant starts: it has forgotten the devices, and no broker keeps the samples. */
import { expect, test } from 'vitest';
import { Bridge } from '../../src/bridge/bridge.ts';
import { EventPublisher } from '../../src/bridge/event-publisher.ts';
import { LateStats } from '../../src/bridge/late-stats.ts';
import { Ownership } from '../../src/bridge/ownership.ts';
import { Publisher } from '../../src/bridge/publisher.ts';
import { VmStore } from '../../src/bridge/vm-store.ts';
import { Dispatcher } from '../../src/commands/dispatcher.ts';
import { Responder } from '../../src/commands/responder.ts';
import { nothingAnnounced } from '../../src/discovery/announced-store.ts';
import { Announcer } from '../../src/discovery/announcer.ts';
import { State } from '../../src/model/state.ts';
import { topics } from '../../src/model/topics.ts';
import { MqttClient } from '../../src/mqtt/client.ts';
import type { Message } from '../../src/mqtt/message.ts';
import { silent } from '../../src/util/logger.ts';
import { at, snapshotOf } from '../model/samples.ts';
import { Inbox } from '../mqtt/inbox.ts';

/** A bridge whose broker is played by the test. */
function setUp() {
  const sent = new Inbox<string>();
  const send = ({ topic, settled }: { topic: string; settled?: (delivered: boolean) => void }) => {
    if (topic !== 'b/bridge/claim') sent.push(topic);
    settled?.(true);
    return true;
  };
  const all = topics('b');
  const will = { topic: 'b/bridge/state', payload: 'offline', qos: 1, retain: true } as const;
  const mqtt = new MqttClient({ url: 'mqtt://127.0.0.1:1', clientId: 'c', will, subscriptions: [], logger: silent });
  const state = new State(snapshotOf().vms);
  const responder = new Responder({ topics: all, send, notify: () => {}, logger: silent });
  const publisher = new Publisher({
    topics: all,
    identity: { version: '1', instance: 'nas', session: 'me', startedAt: at },
    send,
  });
  const bridge = new Bridge({
    ...{ state, topics: all, statusTopic: 'ha/status', reserved: [], mqtt, publisher, responder },
    ownership: new Ownership({
      ...{ topics: all.bridge, session: 'me', instance: 'nas', send, now: () => new Date(), logger: silent },
    }),
    events: new EventPublisher({ topics: all, send, logger: silent }),
    vmStore: new VmStore(() => {}, {}, null),
    lateStats: new LateStats(state, publisher, 0),
    announcer: new Announcer(
      {
        bridge: { prefix: 'ha', topics: all, instance: 'nas', version: '1' },
        vms: [],
        send,
        save: () => {},
        retire: () => {},
        spacing: 0,
      },
      nothingAnnounced,
    ),
    dispatcher: new Dispatcher({
      vms: {},
      readOnly: false,
      snapshot: () => state.snapshot,
      call: async () => null,
      read: async () => {},
      missing: () => 'libvirt has no such domain',
      simple: async () => '',
      portsOpen: async () => false,
      replies: responder,
      emit: state.dispatch,
    }),
    birthJitter: 0,
  });
  bridge.start();
  mqtt.emit('connected', { version: '5.0', refused: [] });
  const say = (payload: string, retain = false) => {
    const message: Message = {
      topic: 'ha/status',
      payload: Buffer.from(payload),
      qos: 0,
      retain,
      duplicate: false,
      responseTopic: null,
      correlationData: null,
      expirySeconds: null,
    };
    mqtt.emit('message', message);
  };
  const begun = sent.all.length;
  return { bridge, sent, say, since: () => sent.all.slice(begun) };
}

const device = 'ha/device/dsm2mqtt_bridge_nas/config';

test('its birth: the devices again, then the numbers of every VM', async () => {
  const { bridge, sent, say, since } = setUp();
  await sent.take(topic => topic === device);
  await sent.take(topic => topic === 'b/other/stats');
  say('online');
  await sent.take(topic => topic === 'b/other/stats');
  expect(since()).toEqual([device, 'b/DSM/stats', 'b/other/stats']);
  bridge.close();
});

test.each([
  ['its end', 'offline', false],
  ['a birth of long ago', 'online', true],
  ['something else', 'reloading', false],
])('%s is no birth', async (_, payload, retain) => {
  const { bridge, sent, say, since } = setUp();
  await sent.take(topic => topic === 'b/other/stats');
  say(payload, retain);
  // A birth after it is the first to be heard.
  say('online');
  await sent.take(topic => topic === 'b/other/stats');
  expect(since()).toHaveLength(3);
  bridge.close();
});

test('closed meanwhile, nothing is said', async () => {
  const { bridge, say, since } = setUp();
  say('online');
  bridge.close();
  await new Promise(resolve => setTimeout(resolve, 5));
  expect(since()).toEqual([]);
});
