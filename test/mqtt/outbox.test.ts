import { beforeEach, expect, test } from 'vitest';
import type { Publication } from '../../src/model/topics.ts';
import { Outbox } from '../../src/mqtt/outbox.ts';
import { recorder } from './inbox.ts';
import { state } from './subject.ts';

const MEBIBYTE = 1 << 20;
let log: ReturnType<typeof recorder>;
let written: string[];
let waiting: ((error?: Error) => void)[];
let buffered: number;
let settled: string[];

beforeEach(() => {
  log = recorder();
  written = [];
  waiting = [];
  buffered = 0;
  settled = [];
});

function outbox(window: number): Outbox {
  const wire = {
    send(publication: Publication, done: (error?: Error) => void) {
      written.push(label(publication));
      if (publication.qos === 1) waiting.push(done);
    },
    buffered: () => buffered,
  };
  return new Outbox(wire, { receiveMaximum: window }, { logged: new Set(), avoided: new Map() }, log);
}

function tracked(publication: Publication): Publication {
  return { ...publication, settled: fine => settled.push(`${label(publication)} ${fine}`) };
}

const label = ({ topic, payload }: Publication) => `${topic}=${payload.length > 20 ? '…' : payload}`;
const kept = (topic: string, payload: string | Buffer) => tracked(state(topic, payload));
const event = (payload: string) => tracked(state('event', payload, { retain: false }));
const sample = (payload: string) => tracked(state('stats', payload, { qos: 0, retain: false }));
const acknowledge = (error?: Error) => waiting.shift()?.(error);

test('writes at once up to the broker’s window, and goes on at each acknowledgement', () => {
  const box = outbox(2);
  for (const n of ['1', '2', '3', '4']) expect(box.push(event(n))).toBe(true);
  expect(written).toEqual(['event=1', 'event=2']);
  acknowledge();
  expect(written).toEqual(['event=1', 'event=2', 'event=3']);
  acknowledge(new Error('refused'));
  acknowledge();
  acknowledge();
  expect(written).toHaveLength(4);
  expect(settled).toEqual(['event=1 true', 'event=2 false', 'event=3 true', 'event=4 true']);
});

test('a waiting state gives its place to a newer one; events keep their order', () => {
  const box = outbox(1);
  box.push(kept('first', ''));
  for (const n of ['1', '2', '3']) {
    box.push(kept('a', n));
    box.push(event(n));
    box.push(kept('b', n));
  }
  expect(settled).toEqual(['a=1 false', 'b=1 false', 'a=2 false', 'b=2 false']);
  while (waiting.length > 0) acknowledge();
  expect(written).toEqual(['first=', 'a=3', 'event=1', 'b=3', 'event=2', 'event=3']);
});

test('never holds more than a mebibyte and one message unacknowledged', () => {
  const box = outbox(100);
  const half = Buffer.alloc(MEBIBYTE / 2);
  for (const topic of ['a', 'b', 'c', 'd']) box.push(kept(topic, half));
  expect(written).toEqual(['a=…', 'b=…']);
  acknowledge();
  expect(written).toHaveLength(3);
});

test('a message of any size passes when it is alone', () => {
  outbox(100).push(kept('screen', Buffer.alloc(5 * MEBIBYTE)));
  expect(written).toEqual(['screen=…']);
});

test('keeps the last thousand events', () => {
  const box = outbox(1);
  box.push(kept('state', ''));
  for (let n = 0; n < 1_005; n++) box.push(event(`${n}`));
  expect(settled).toEqual([0, 1, 2, 3, 4].map(n => `event=${n} false`));
  expect(log.of('mqtt.congested')).toHaveLength(1);
  while (waiting.length > 0) acknowledge();
  expect(written.at(1)).toBe('event=5');
  expect(written.at(-1)).toBe('event=1004');
});

test('drops samples while the socket is full, and tells beginning and end', () => {
  const box = outbox(2);
  buffered = MEBIBYTE;
  expect(box.push(sample('1'))).toBe(false);
  expect(box.push(sample('2'))).toBe(false);
  box.push(kept('state', 'on'));
  buffered = 0;
  // The socket is empty, but nobody has acknowledged anything yet.
  expect(box.push(sample('3'))).toBe(true);
  expect(log.of('mqtt.uncongested')).toEqual([]);
  acknowledge();
  box.push(sample('4'));
  box.push(sample('5'));
  expect(written).toEqual(['state=on', 'stats=3', 'stats=4', 'stats=5']);
  expect(settled.slice(0, 3)).toEqual(['stats=1 false', 'stats=2 false', 'stats=3 true']);
  expect(log.entries.map(({ event, dropped }) => [event, dropped])).toEqual([
    ['mqtt.congested', undefined],
    ['mqtt.uncongested', 2],
  ]);
});

test('settles everything once when it is closed, and takes no more', () => {
  const box = outbox(1);
  box.push(kept('a', '1'));
  box.push(kept('b', '1'));
  box.close();
  box.close();
  acknowledge(new Error('Connection closed'));
  expect(box.push(kept('c', '1'))).toBe(false);
  expect(settled).toEqual(['a=1 false', 'b=1 false', 'c=1 false']);
  expect(written).toEqual(['a=1']);
});
