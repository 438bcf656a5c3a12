import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultVmKey, isVmKey, topics } from '../../src/model/topics.ts';

const keys = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);
const bases = fc.array(fc.stringMatching(/^[^/+#\0]{1,10}$/), { minLength: 1, maxLength: 3 }).map(all => all.join('/'));

test('the topics of a bridge and of a VM', () => {
  const { bridge, vm, commands } = topics('home/dsm2mqtt');
  expect(bridge).toEqual({
    state: 'home/dsm2mqtt/bridge/state',
    info: 'home/dsm2mqtt/bridge/info',
    claim: 'home/dsm2mqtt/bridge/claim',
  });
  expect(vm('DSM')).toEqual({
    availability: 'home/dsm2mqtt/DSM/availability',
    state: 'home/dsm2mqtt/DSM/state',
    stats: 'home/dsm2mqtt/DSM/stats',
    boot: 'home/dsm2mqtt/DSM/boot',
    check: 'home/dsm2mqtt/DSM/check',
    response: 'home/dsm2mqtt/DSM/response',
    event: 'home/dsm2mqtt/DSM/event',
    doctor: 'home/dsm2mqtt/DSM/doctor',
    loader: 'home/dsm2mqtt/DSM/loader',
    loaderLog: 'home/dsm2mqtt/DSM/loader/log',
    screen: 'home/dsm2mqtt/DSM/screen',
    power: 'home/dsm2mqtt/DSM/power/set',
    command: 'home/dsm2mqtt/DSM/command',
  });
  expect(topics('b').host('nas')).toEqual({ availability: 'b/host/nas/availability', state: 'b/host/nas/state' });
  expect(commands.filters).toEqual(['home/dsm2mqtt/+/power/set', 'home/dsm2mqtt/+/command']);
});

test('every command topic is subscribed to and leads back to its VM, whatever the base', () => {
  fc.assert(
    fc.property(bases, keys, (base, key) => {
      const { vm, commands } = topics(base);
      const { power, command, ...outgoing } = vm(key);
      expect(commands.parse(power)).toEqual({ key, kind: 'power' });
      expect(commands.parse(command)).toEqual({ key, kind: 'command' });
      for (const topic of [power, command]) expect(commands.filters.some(filter => matches(filter, topic))).toBe(true);
      for (const topic of Object.values(outgoing)) expect(commands.parse(topic)).toBeNull();
    }),
  );
});

describe('not for us', () => {
  const { commands } = topics('a/b');
  test.each([
    'a/b',
    'a/b/',
    'a/b//command',
    'a/b//power/set',
    'a/b/DSM',
    'a/b/DSM/command/',
    'a/b/DSM/command/x',
    'a/b/DSM/power',
    'a/b/DSM/power/set/x',
    'a/b/x/DSM/command',
    'a/bc/DSM/command',
    'a/DSM/command',
    'x/a/b/DSM/command',
    'homeassistant/status',
    '',
  ])('%j', topic => {
    expect(commands.parse(topic)).toBeNull();
  });
});

describe('the key of a domain', () => {
  test.each([
    ['DSM', 'DSM'],
    ['my DSM.7+#1', 'my_DSM_7__1'],
    ['Büro', 'B_ro'],
    ['NAS/DSM', 'NAS_DSM'],
    ['a_b-c', 'a_b-c'],
    ['群晖', ''],
    ['___', ''],
    ['', ''],
    ['🦊x', '__x'],
  ])('%j is %j', (name, key) => {
    expect(defaultVmKey(name)).toBe(key);
  });

  test('is legal or there is none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), name => {
        const key = defaultVmKey(name);
        expect(key === '' || key === 'bridge' || isVmKey(key)).toBe(true);
      }),
    );
  });

  test.each(['bridge', '', '_', '__', 'a b', 'a/b', 'ä', 'a\n', '+', 'x'.repeat(129)])('%j is not legal', key => {
    expect(isVmKey(key)).toBe(false);
  });
});

function matches(filter: string, topic: string): boolean {
  const [wanted, given] = [filter.split('/'), topic.split('/')];
  return wanted.length === given.length && wanted.every((level, i) => level === '+' || level === given[i]);
}

test('the access list of docs/mosquitto has every topic', async () => {
  const text = await readFile(new URL('../../docs/mosquitto/dsm2mqtt.acl', import.meta.url), 'utf8');
  const { power, command, ...ofVm } = topics('dsm2mqtt').vm('+');
  const said = { ...ofVm, ofHosts: Object.values(topics('dsm2mqtt').host('+')) };
  const written = [...text.matchAll(/^topic (?:read)?write (dsm2mqtt\/(?:host\/)?\+\/.+)$/gm)].map(
    ([, topic]) => topic,
  );
  expect(written.toSorted()).toEqual([...Object.values(said).flat(), power, command].toSorted());
  for (const topic of [power, command]) expect(text).toContain(`\ntopic read ${topic}\n`);
});
