/** Home Assistant starts: it has forgotten the devices. */
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Bridge, type BridgeParts } from '../../src/bridge/bridge.ts';
import { State } from '../../src/model/state.ts';
import { topics } from '../../src/model/topics.ts';
import { snapshotOf } from '../model/samples.ts';

let announced: number;
let bridge: Bridge;
let mqtt: EventEmitter;

beforeEach(() => {
  vi.useFakeTimers();
  announced = 0;
  mqtt = new EventEmitter();
  const again = () => {
    announced += 1;
  };
  bridge = new Bridge({
    ...{ state: new State(snapshotOf().vms), topics: topics('b'), statusTopic: 'ha/status', reserved: [], mqtt },
    ownership: Object.assign(new EventEmitter(), { holding: true, hear: () => false }),
    announcer: { again, close: () => {} },
  } as unknown as BridgeParts);
  bridge.start();
});
afterEach(() => {
  vi.useRealTimers();
});

const say = (payload: string, retain = false) =>
  mqtt.emit('message', { topic: 'ha/status', payload: Buffer.from(payload), retain });

test('its birth: the devices are announced again within a second, once', () => {
  say('online');
  say('online');
  vi.advanceTimersByTime(1_000);
  expect(announced).toBe(1);
});

test.each([
  ['its end', 'offline', false],
  ['a birth of long ago', 'online', true],
  ['something else', 'reloading', false],
])('%s is no birth', (_, payload, retain) => {
  say(payload, retain);
  vi.runAllTimers();
  expect(announced).toBe(0);
});

test('closed meanwhile, it says nothing', () => {
  say('online');
  bridge.close();
  vi.runAllTimers();
  expect(announced).toBe(0);
});
