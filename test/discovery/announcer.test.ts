/** What Home Assistant is told of devices, against a model of what it makes of that. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Announced, announcedSchema, nothingAnnounced } from '../../src/discovery/announced-store.ts';
import { Announcer, type AnnouncerOptions } from '../../src/discovery/announcer.ts';
import type { BridgeOptions, VmOptions } from '../../src/discovery/entities/payload.ts';
import { type Disk, type Domain, unknownHardware } from '../../src/model/domain.ts';
import { emptyVm, type Snapshot } from '../../src/model/snapshot.ts';
import { type Publication, topics } from '../../src/model/topics.ts';
import { domain, otherUuid, uuid } from '../model/samples.ts';
import { expanded } from './expanded.ts';

const spacing = 5_000;
const bridge: BridgeOptions = {
  ...{ prefix: 'ha', topics: topics('b'), instance: 'nas', version: '0.1.0' },
  ...{ homepage: 'https://docs.example/', page: null, expires: false },
};
const vm: VmOptions = {
  key: 'DSM',
  label: 'DSM VM',
  statsInterval: 30,
  commands: ['start', 'shutdown'],
  loader: false,
  guest: 'dsm',
  certificates: false,
  powerCategory: null,
  ...{ linkByMac: false, suggestedArea: null },
};
const info = { hostname: 'nas-host', libvirt: '9.0.0', hypervisor: 'QEMU 7.2.22' };

const bridgeTopic = 'ha/device/dsm2mqtt_bridge_nas/config';
const topicOf = (id: string) => `ha/device/dsm2mqtt_${id}/config`;

const snapshotOf = (now: Domain | null, up = true, known = true): Snapshot => ({
  hypervisor: { name: null, up, reason: up ? null : 'away', info: known ? info : null },
  host: null,
  vms: { DSM: { ...emptyVm('DSM', 'DSM VM'), domain: now } },
  overdueChecks: [],
});
const disk = (target: string): Disk => ({ target, role: 'data', bus: 'scsi', source: `/dev/${target}` });
const withDisks = (...targets: string[]): Domain => ({
  ...domain,
  hardware: { ...domain.hardware, disks: targets.map(disk) },
});

/** A broker that may lose what is on its way, and Home Assistant behind it. */
class World {
  readonly messages: { topic: string; payload: string; at: number }[] = [];
  /** Home Assistant's entities, by device topic. */
  readonly entities = new Map<string, Set<string>>();
  saved: Announced = nothingAnnounced;
  readonly retired: string[] = [];
  readonly resampled: string[] = [];
  lossy = false;
  accepts = true;
  #flying: { topic: string; payload: string; settled: Publication['settled'] }[] = [];

  announcer(options: Partial<AnnouncerOptions> = {}): Announcer {
    return new Announcer(
      {
        bridge,
        vms: [vm],
        hosts: [],
        retireHost: () => {},
        send: publication => {
          if (!this.accepts) return false;
          const { topic, payload: given, settled } = publication;
          const payload = typeof given === 'function' ? given() : String(given);
          this.messages.push({ topic, payload, at: performance.now() });
          this.#flying.push({ topic, payload, settled });
          if (!this.lossy) this.deliver();
          return true;
        },
        save: value => {
          // As the store does: through a file.
          this.saved = announcedSchema.parse(JSON.parse(JSON.stringify(value)));
        },
        retire: key => this.retired.push(key),
        resample: key => this.resampled.push(key),
        ...options,
      },
      this.saved,
    );
  }

  deliver(count = Number.POSITIVE_INFINITY): void {
    for (const { topic, payload, settled } of this.#flying.splice(0, count)) {
      this.#hear(topic, payload);
      settled?.(true);
    }
  }

  /** The line breaks: on the way there, or with Home Assistant's hearing it and the answer on its way back. */
  lose({ heard = false } = {}): void {
    for (const { topic, payload, settled } of this.#flying.splice(0)) {
      if (heard) this.#hear(topic, payload);
      settled?.(false);
    }
  }

  topics(): string[] {
    return this.messages.map(({ topic }) => topic);
  }

  of(topic: string): string[] {
    return this.messages.filter(message => message.topic === topic).map(({ payload }) => payload);
  }

  #hear(topic: string, payload: string): void {
    if (payload === '') {
      this.entities.delete(topic);
      return;
    }
    const known = this.entities.get(topic) ?? new Set();
    for (const [key, component] of Object.entries<object>(expanded(payload).components)) {
      if (Object.keys(component).length === 1) known.delete(key);
      else known.add(key);
    }
    this.entities.set(topic, known);
  }
}

let world: World;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  world = new World();
});
afterEach(() => {
  vi.useRealTimers();
});

function started(now: Domain | null = domain, options: Partial<AnnouncerOptions> = {}): Announcer {
  const announcer = world.announcer(options);
  announcer.update(snapshotOf(now));
  announcer.connected();
  return announcer;
}

const disksOf = (id: string) =>
  [...(world.entities.get(topicOf(id)) ?? [])].flatMap(key => /^disk_(\w+)_read_rate$/.exec(key)?.[1] ?? []);

test('the bridge and the VM, at once, and nothing twice', () => {
  const announcer = started();
  expect(world.topics()).toEqual([bridgeTopic, topicOf(uuid)]);
  announcer.update(snapshotOf({ ...domain, active: false, state: 'shut_off', reason: 'shutdown' }));
  announcer.update(snapshotOf(null));
  announcer.update(snapshotOf(domain, false));
  announcer.update(
    snapshotOf({
      ...domain,
      hardware: { ...domain.hardware, nics: domain.hardware.nics.map(nic => ({ ...nic, tap: 'vnet9' })) },
    }),
  );
  vi.advanceTimersByTime(60_000);
  expect(world.messages).toHaveLength(2);
});

test('nothing before libvirt was reached, for it would be said again, and nothing without a broker', () => {
  const announcer = world.announcer();
  announcer.update(snapshotOf(domain, false, false));
  announcer.connected();
  expect(world.topics()).toEqual([bridgeTopic]);
  announcer.disconnected();
  announcer.update(snapshotOf(domain));
  vi.advanceTimersByTime(60_000);
  expect(world.topics()).toEqual([bridgeTopic]);
  announcer.connected();
  expect(world.topics()).toContain(topicOf(uuid));
});

test('libvirt away: nothing is removed, however long, and a start without it announces what was seen last', () => {
  started().close();
  const before = world.messages.length;
  const announcer = world.announcer();
  announcer.update(snapshotOf(null, false, false));
  announcer.connected();
  vi.advanceTimersByTime(3_600_000);
  expect(world.messages.slice(before).map(({ topic }) => topic)).toEqual([bridgeTopic, topicOf(uuid)]);
  expect(world.of(topicOf(uuid))[1]).toBe(world.of(topicOf(uuid))[0]);
});

test('a definition that could not be read removes nothing either', () => {
  const announcer = started();
  announcer.update(snapshotOf({ ...domain, hardware: unknownHardware }));
  vi.advanceTimersByTime(60_000);
  expect(world.messages).toHaveLength(2);
});

test('a new session and a birth are told everything, some seconds after the last time', () => {
  const announcer = started();
  announcer.disconnected();
  announcer.connected();
  expect(world.messages).toHaveLength(2);
  vi.advanceTimersByTime(spacing);
  expect(world.messages).toHaveLength(4);
  vi.advanceTimersByTime(60_000);
  announcer.again();
  expect(world.messages).toHaveLength(6);
  announcer.again();
  announcer.again();
  vi.advanceTimersByTime(60_000);
  expect(world.messages).toHaveLength(8);
});

test('a VM whose device the broker has gets its sample once more, when Home Assistant has taken the device in', () => {
  world.lossy = true;
  started();
  vi.advanceTimersByTime(60_000);
  expect(world.resampled).toEqual([]);
  world.deliver();
  vi.advanceTimersByTime(1_999);
  expect(world.resampled).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(world.resampled).toEqual(['DSM']);
});

test('after its birth Home Assistant gets the samples at once, and again when it has taken the device in', () => {
  world.lossy = true;
  const announcer = started();
  announcer.again();
  announcer.again();
  vi.advanceTimersByTime(1_999);
  expect(world.resampled).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(world.resampled).toEqual(['DSM']);
  vi.advanceTimersByTime(spacing);
  world.deliver();
  vi.advanceTimersByTime(60_000);
  expect(world.resampled).toEqual(['DSM', 'DSM']);
  announcer.again();
  announcer.close();
  vi.advanceTimersByTime(60_000);
  expect(world.resampled).toEqual(['DSM', 'DSM']);
});

describe('a disk is taken away', () => {
  test('in two steps, seconds apart: removed, then left out', () => {
    const announcer = started(withDisks('sda', 'sdb'));
    announcer.update(snapshotOf(withDisks('sda')));
    vi.advanceTimersByTime(spacing - 1);
    expect(world.of(topicOf(uuid))).toHaveLength(1);
    vi.advanceTimersByTime(1);
    const [, removal] = world.of(topicOf(uuid));
    expect(expanded(removal ?? '').components).toMatchObject({ disk_sdb_read_rate: { platform: 'sensor' } });
    expect(disksOf(uuid)).toEqual(['sda']);
    vi.advanceTimersByTime(spacing - 1);
    expect(world.of(topicOf(uuid))).toHaveLength(2);
    vi.advanceTimersByTime(1);
    const [, , omission] = world.of(topicOf(uuid));
    expect(expanded(omission ?? '').components).not.toHaveProperty('disk_sdb_read_rate');
    vi.advanceTimersByTime(60_000);
    expect(world.of(topicOf(uuid))).toHaveLength(3);
  });

  test.each([
    ['before the first', 0],
    ['between them', spacing],
  ])('killed %s, the next start does both', (_, after) => {
    const announcer = started(withDisks('sda', 'sdb'));
    announcer.update(snapshotOf(withDisks('sda')));
    vi.advanceTimersByTime(after);
    announcer.close();
    vi.advanceTimersByTime(60_000);
    world.announcer().connected();
    vi.advanceTimersByTime(60_000);
    expect(disksOf(uuid)).toEqual(['sda']);
    expect(world.of(topicOf(uuid)).at(-1)).not.toContain('sdb');
  });

  test('that was announced after all, though nobody confirmed it', () => {
    world.lossy = true;
    const announcer = started(withDisks('sda'));
    announcer.update(snapshotOf(withDisks('sda', 'sdb')));
    vi.advanceTimersByTime(60_000);
    world.deliver(2);
    world.lose({ heard: true });
    expect(disksOf(uuid)).toEqual(['sda', 'sdb']);
    announcer.close();
    world.lossy = false;
    vi.advanceTimersByTime(60_000);
    started(withDisks('sda'));
    vi.advanceTimersByTime(60_000);
    expect(disksOf(uuid)).toEqual(['sda']);
  });

  test('and comes back before anybody was told', () => {
    const announcer = started(withDisks('sda', 'sdb'));
    announcer.update(snapshotOf(withDisks('sda')));
    announcer.update(snapshotOf(withDisks('sda', 'sdb')));
    vi.advanceTimersByTime(60_000);
    expect(disksOf(uuid)).toEqual(['sda', 'sdb']);
    expect(world.of(topicOf(uuid)).at(-1)).toBe(world.of(topicOf(uuid))[0]);
  });
});

describe('another UUID under the name', () => {
  const other: Domain = { ...domain, uuid: otherUuid };

  test('the old device goes first, the new one comes seconds later', () => {
    const announcer = started();
    vi.advanceTimersByTime(60_000);
    announcer.update(snapshotOf(other));
    expect(world.messages.slice(2)).toMatchObject([{ topic: topicOf(uuid), payload: '' }]);
    vi.advanceTimersByTime(spacing - 1);
    expect(world.messages).toHaveLength(3);
    vi.advanceTimersByTime(1);
    expect(world.topics().at(-1)).toBe(topicOf(otherUuid));
    expect([...world.entities.keys()]).toEqual([bridgeTopic, topicOf(otherUuid)]);
  });

  test('also when the old one has only just been announced', () => {
    const announcer = started();
    announcer.update(snapshotOf(other));
    vi.advanceTimersByTime(60_000);
    const [removed, announced] = world.messages.slice(2);
    expect(removed).toMatchObject({ topic: topicOf(uuid), payload: '' });
    expect(announced).toMatchObject({ topic: topicOf(otherUuid) });
    expect((announced?.at ?? 0) - (removed?.at ?? 0)).toBeGreaterThanOrEqual(spacing);
  });
});

describe('the configuration has changed', () => {
  test.each<[what: string, options: Partial<AnnouncerOptions>, left: string[]]>([
    ['without the VM', { vms: [] }, [bridgeTopic]],
    [
      'with another prefix',
      { bridge: { ...bridge, prefix: 'x' } },
      ['x/device/dsm2mqtt_bridge_nas/config', `x/device/dsm2mqtt_${uuid}/config`],
    ],
    [
      'with another instance',
      { bridge: { ...bridge, instance: 'attic' } },
      ['ha/device/dsm2mqtt_bridge_attic/config', topicOf(uuid)],
    ],
  ])('%s', (_, options, left) => {
    started().close();
    vi.advanceTimersByTime(60_000);
    const before = [...world.entities.keys()];
    const next = world.announcer(options);
    next.connected();
    vi.advanceTimersByTime(60_000);
    // As long as libvirt has not been read, nothing is known to be gone.
    expect([...world.entities.keys()]).toEqual(expect.arrayContaining(before));
    const snapshot = snapshotOf(domain);
    next.update(options.vms ? { ...snapshot, vms: {} } : snapshot);
    vi.advanceTimersByTime(60_000);
    expect([...world.entities.keys()].sort()).toEqual(left.sort());
  });

  test('and allows less: the switch and the button go', () => {
    started().close();
    vi.advanceTimersByTime(60_000);
    world.announcer({ vms: [{ ...vm, commands: ['start'] }] }).connected();
    vi.advanceTimersByTime(60_000);
    const left = world.entities.get(topicOf(uuid));
    expect([left?.has('power'), left?.has('start'), left?.has('shutdown')]).toEqual([false, true, false]);
  });
});

test('what the broker does not take is said in the next session', () => {
  world.accepts = false;
  const announcer = started();
  expect(world.saved.vms['DSM']?.uuid).toBe(uuid);
  world.accepts = true;
  announcer.connected();
  expect([...world.entities.keys()]).toEqual([bridgeTopic, topicOf(uuid)]);
});

test('a store that lost everything announces all and removes nothing', () => {
  started().close();
  world.saved = nothingAnnounced;
  vi.advanceTimersByTime(60_000);
  const before = world.messages.length;
  started();
  vi.advanceTimersByTime(60_000);
  expect(world.messages.slice(before).every(({ payload }) => payload !== '')).toBe(true);
  expect(world.entities.has(topicOf(uuid))).toBe(true);
});

test('closed, it says no more', () => {
  const announcer = started(withDisks('sda', 'sdb'));
  announcer.update(snapshotOf(withDisks('sda')));
  announcer.close();
  announcer.again();
  vi.advanceTimersByTime(60_000);
  expect(world.messages).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('a device that its first entry has left is announced for the second one', () => {
  const vms = { DSM: emptyVm('DSM', 'One'), two: emptyVm('two', 'Two') };
  const both = (first: Domain): Snapshot => ({
    ...snapshotOf(first),
    vms: { DSM: { ...vms.DSM, domain: first }, two: { ...vms.two, domain } },
  });
  const announcer = world.announcer({ vms: [vm, { ...vm, key: 'two', label: 'Two' }] });
  announcer.update(both(domain));
  announcer.connected();
  announcer.update(both({ ...domain, uuid: otherUuid }), ['DSM']);
  vi.advanceTimersByTime(2 * spacing);
  const names = world.messages.map(({ topic, payload }) => [topic, expanded(payload).device['name']]);
  expect(names.slice(1)).toEqual([
    [topicOf(uuid), 'DSM VM'],
    [topicOf(otherUuid), 'DSM VM'],
    [topicOf(uuid), 'Two'],
  ]);
});

describe('a file of what was announced', () => {
  test.each([null, 3, [], {}, { ...nothingAnnounced, devices: { t: { k: 'valve' } } }])('%j is none', value => {
    expect(announcedSchema.safeParse(value).success).toBe(false);
  });
  test('is read as it was written', () => {
    started();
    expect(announcedSchema.parse(JSON.parse(JSON.stringify(world.saved)))).toEqual(world.saved);
  });
});

// Whatever happens in whatever order, in the end Home Assistant has what there is, and was never rushed.

type Step = { do: 'domain'; disks: string[]; id: string } | { do: 'wait'; milliseconds: number } | { do: Act };
const acts = ['gone', 'disconnect', 'connect', 'birth', 'deliver', 'restart'] as const;
type Act = (typeof acts)[number];

const domains = fc.record({
  do: fc.constant('domain' as const),
  disks: fc.subarray(['sda', 'sdb']),
  id: fc.constantFrom(uuid, otherUuid),
});
const waits = fc.record({
  do: fc.constant('wait' as const),
  milliseconds: fc.constantFrom(1, 1_000, spacing, 20_000),
});
const others = fc.record({ do: fc.constantFrom(...acts) });
const steps = fc.array(
  fc.oneof({ weight: 3, arbitrary: domains }, { weight: 3, arbitrary: waits }, { weight: 5, arbitrary: others }),
  { maxLength: 25 },
);

test('in the end Home Assistant has what there is, and it was never rushed', () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (all: Step[], lossy) => {
      world = new World();
      world.lossy = lossy;
      let announcer = started();
      const act: Record<Act, () => void> = {
        gone: () => announcer.update(snapshotOf(null)),
        disconnect: () => {
          announcer.disconnected();
          world.lose({ heard: true });
        },
        connect: () => {
          announcer.disconnected();
          world.lose();
          announcer.connected();
        },
        birth: () => announcer.again(),
        deliver: () => world.deliver(),
        restart: () => {
          announcer.close();
          world.lose();
          // A process takes its time to start, and to connect.
          vi.advanceTimersByTime(spacing);
          announcer = world.announcer();
          announcer.connected();
        },
      };
      for (const step of all) {
        if (step.do === 'domain') announcer.update(snapshotOf({ ...withDisks(...step.disks), uuid: step.id }));
        else if (step.do === 'wait') vi.advanceTimersByTime(step.milliseconds);
        else act[step.do]();
      }
      announcer.update(snapshotOf({ ...withDisks('sdb', 'sdc'), uuid }));
      act.connect();
      world.lossy = false;
      world.deliver();
      vi.advanceTimersByTime(120_000);

      expect([...world.entities.keys()].sort()).toEqual([topicOf(uuid), bridgeTopic].sort());
      expect(disksOf(uuid).sort()).toEqual(['sdb', 'sdc']);
      expect(Object.keys(world.saved.devices).sort()).toEqual([topicOf(uuid), bridgeTopic].sort());
      for (const topic of new Set(world.topics())) {
        const times = world.messages.filter(message => message.topic === topic).map(message => message.at);
        for (const [i, time] of times.entries()) {
          if (i > 0) expect(time - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(spacing);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('another id for the same domain removes nothing, and the former topics are taken back once libvirt has been read', () => {
  const world = new World();
  const before = world.announcer({ spacing: 0 });
  before.update(snapshotOf(domain));
  before.connected();
  const renamed = world.announcer({ vms: [{ ...vm, key: 'nas' }], spacing: 0 });
  renamed.connected();
  expect(world.messages.map(({ payload }) => payload)).not.toContain('');
  expect(world.retired).toEqual([]);
  const now = snapshotOf(domain);
  renamed.update({ ...now, vms: { nas: { ...emptyVm('nas', 'DSM VM'), domain } } });
  expect(world.messages.map(({ payload }) => payload)).not.toContain('');
  expect(world.messages.at(-1)).toMatchObject({ topic: topicOf(uuid), payload: expect.stringContaining('/nas/state') });
  expect(world.retired).toEqual(['DSM']);
});
