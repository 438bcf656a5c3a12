/** One check: where DSM is looked for, what is asked of it, and what a check does with time. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { longest } from '../../../src/checks/engine/ask.ts';
import { type ExamineOptions, examine } from '../../../src/checks/engine/examine.ts';
import type { CheckTarget } from '../../../src/checks/engine/locate.ts';
import type { Findings, Kind } from '../../../src/checks/finding.ts';
import { webPorts } from '../../../src/checks/probes/web/port.ts';
import type { Probes } from '../../../src/checks/probes.ts';
import { type DsmIdentity, unknownDsm } from '../../../src/model/check.ts';
import { domain } from '../../model/samples.ts';
import { notAsked } from '../ward.ts';

const mac = '52:54:00:d5:30:01';
const [ten, eleven] = ['10.0.0.20', '10.0.0.21'];

const unknown: CheckTarget = {
  ...{ key: 'DSM', nics: domain.hardware.nics, local: true, configured: null, lastAddress: null },
  services: { ports: [5_000, 445], http: [], ssh: null, agent: false },
  ...{ identity: null, discovered: false, sweep: false },
};

interface Scene {
  /** Addresses at which the guest's MAC answers, and at which another machine does. */
  at?: readonly string[];
  taken?: readonly string[];
  /** Where it answers to a search of the whole network. */
  around?: string | null;
  libvirt?: readonly string[];
  device?: DsmIdentity | null;
  web?: Partial<Findings['web']>;
  dsm?: Kind<'dsm'>;
  overrides?: Partial<Probes>;
}

/** A check of a target in a scene, with what was asked of each probe. */
function run(scene: Scene, about: Partial<CheckTarget> = {}, options: Partial<ExamineOptions> = {}) {
  const { at = [], taken = [], around = null, libvirt = [], device = null, web = {}, dsm = 'ready' } = scene;
  const asked: [probe: string, target: unknown][] = [];
  const found = async <K extends string, R extends object>(probe: string, target: unknown, kind: K, rest: R) => {
    asked.push([probe, target]);
    return { kind, ms: 1, explanation: `${probe} is ${kind}.`, ...rest };
  };
  const probes: Probes = {
    bridge: target => found('bridge', target, 'ok', { mac, worst: null }),
    neighbour: target => {
      const swept = target.around ? around : null;
      const address = at.find(one => target.candidates.includes(one)) ?? swept;
      const silent = target.candidates.length > 0 ? 'silent' : 'not_applicable';
      const lost = target.candidates.some(one => taken.includes(one)) ? 'taken' : silent;
      return found('neighbour', target, address ? 'ok' : lost, { address });
    },
    ping: target => found('ping', target, 'ok', {}),
    tcp: target => found('tcp', target, 'all', { open: target.ports, closed: [] }),
    web: target => found('web', target, 'dsm', { port: 5_000, secure: false, name: null, base: '', ...web }),
    dsm: target => found('dsm', target, dsm, { identity: null }),
    discovery: target => found('discovery', target, device ? 'ready' : 'not_applicable', { device }),
    ...notAsked,
    addresses: async key => {
      asked.push(['addresses', key]);
      return libvirt;
    },
    resolve: async name => (name === 'nas.lan' || name === ten ? ten : null),
    ...scene.overrides,
  };
  const examination = examine(() => ({ ...unknown, ...about }), probes, {
    ...{ prepare: null, enough: null, gentle: false, probeTimeout: 1_000, signal: new AbortController().signal },
    ...options,
  });
  const targets = (probe: string) => asked.flatMap(([name, target]) => (name === probe ? [target] : []));
  return { examination, asked, targets };
}

describe('where it is', () => {
  const gone = { configured: 'gone.lan' };
  test.each<[what: string, about: Partial<CheckTarget>, scene: Scene, address: string | null, kind: string]>([
    ['as configured', { configured: ten }, { at: [ten] }, ten, 'ok'],
    ['by its name', { configured: 'nas.lan' }, { at: [ten] }, ten, 'ok'],
    ['as configured, though its MAC does not answer', { configured: ten }, {}, ten, 'silent'],
    ['as configured, not as libvirt knows', { configured: ten }, { libvirt: [eleven], at: [eleven] }, ten, 'silent'],
    ['a name that nobody knows', gone, {}, null, 'not_applicable'],
    ['a name that nobody knows now, where it was last', { ...gone, lastAddress: ten }, { at: [ten] }, ten, 'ok'],
    ['a name that nobody knows now, where libvirt knows it', gone, { libvirt: [ten], at: [ten] }, ten, 'ok'],
    ['where it was last', { lastAddress: ten }, { at: [ten], libvirt: [eleven] }, ten, 'ok'],
    ['where libvirt knows it', {}, { libvirt: [ten], at: [ten] }, ten, 'ok'],
    ['it has moved, and libvirt knows', { lastAddress: ten }, { libvirt: [ten, eleven], at: [eleven] }, eleven, 'ok'],
    ['it has moved, and another machine is there', { lastAddress: ten }, { taken: [ten] }, null, 'taken'],
    ['it is silent where it was last', { lastAddress: ten }, {}, ten, 'silent'],
    ['it tells itself', {}, { device: { ...unknownDsm, address: ten }, at: [ten] }, ten, 'ok'],
    [
      'it has moved, and says so itself',
      { lastAddress: ten },
      { device: { ...unknownDsm, address: eleven }, at: [eleven] },
      eleven,
      'ok',
    ],
    ['found by a search', { sweep: true, lastAddress: eleven }, { around: ten }, ten, 'ok'],
    ['nobody knows', {}, {}, null, 'not_applicable'],
  ])('%s', async (_, about, scene, address, kind) => {
    const { examination, targets } = run(scene, about);
    const found = await examination;
    expect(found.address).toBe(address);
    expect(found.findings.neighbour.kind).toBe(kind);
    expect(targets('tcp')).toEqual(address === null ? [] : [{ address, ports: [5_000, 445] }]);
  });

  test.each<[what: string, about: Partial<CheckTarget>, address: string | null]>([
    ['where it was last', { lastAddress: ten }, ten],
    ['as configured', { configured: 'nas.lan' }, ten],
    ['nowhere', {}, null],
  ])('its MAC is not known, libvirt being away: %s, and nobody is taken for another', async (_, about, address) => {
    const { examination, targets } = run({ taken: [ten] }, { nics: [], ...about });
    const found = await examination;
    expect(found.address).toBe(address);
    expect([...targets('neighbour'), ...targets('bridge')]).toEqual([]);
    expect([found.findings.neighbour.kind, found.findings.bridge.kind]).toEqual(['not_applicable', 'not_applicable']);
  });

  test.each<[about: Partial<CheckTarget>, scene: Scene, swept: boolean]>([
    [{ sweep: true }, {}, true],
    [{ sweep: false }, {}, false],
    [{ sweep: true, lastAddress: ten }, {}, true],
    [{ sweep: true, lastAddress: ten }, { at: [ten] }, false],
    [{ sweep: true }, { libvirt: [ten], at: [ten] }, false],
    [{ sweep: true, configured: ten }, {}, false],
  ])('of %j in %j the whole network is searched: %s', async (about, scene, swept) => {
    const { examination, targets } = run(scene, about);
    expect((await examination).swept).toBe(swept);
    const around = targets('neighbour').flatMap(target => (target as { around?: string[] }).around ?? []);
    expect(around).toEqual(swept ? ['br0'] : []);
  });

  test('libvirt is not asked where its MAC answers anyway', async () => {
    const { examination, targets } = run({ at: [ten] }, { lastAddress: ten });
    await examination;
    expect(targets('addresses')).toEqual([]);
  });

  test.each<[Scene, string[]]>([
    [{ at: [ten] }, [ten]],
    [{ taken: [ten] }, []],
  ])('in %j discovery is told the address that is known to be its own, and no other', async (scene, addresses) => {
    const { examination, targets } = run(scene, { lastAddress: ten, discovered: true });
    await examination;
    expect(targets('discovery')).toEqual([{ macs: [mac], addresses, answeredBefore: true }]);
  });

  test('without an address nothing above it is asked, and each says why', async () => {
    const { examination, asked } = run({});
    const { findings } = await examination;
    expect(new Set(asked.map(([probe]) => probe))).toEqual(new Set(['bridge', 'neighbour', 'addresses', 'discovery']));
    const why = { kind: 'not_applicable', explanation: expect.stringContaining('address') };
    expect(findings).toMatchObject({ ping: why, tcp: why, web: why, dsm: why });
  });
});

const here = { lastAddress: ten };
const told = (more: Partial<DsmIdentity>) => ({ ...unknownDsm, ...more });

/** `5001s` is https, `8080?` either. */
test.each<[what: string, ports: number[], identity: Partial<DsmIdentity> | null, pages: string]>([
  ['the usual ports', [5_000, 5_001, 445], null, '5000 5001s'],
  ['the one of them that is configured', [5_001, 445], null, '5001s'],
  ['others', [8_080, 445, 22], null, '8080?'],
  ['none that could be a page', [445], null, '5000 5001s'],
  ['where it says itself, and the usual one', [5_000], { httpPort: 81, httpsPort: 444 }, '81 444s 5000'],
  ['no port twice', [5_000], { httpPort: 5_000 }, '5000'],
])('its page is looked for at %s', (_, ports, identity, pages) => {
  const marks = new Map([
    [null, '?'],
    [true, 's'],
  ]);
  const found = webPorts(ports, identity && told(identity));
  expect(found.map(({ port, secure }) => `${port}${marks.get(secure) ?? ''}`).join(' ')).toBe(pages);
});

test.each<[web: Partial<Findings['web']>, asked: boolean]>([
  [{ kind: 'dsm' }, true],
  [{ kind: 'silent', port: 5_000 }, true],
  [{ kind: 'loader', port: 5_000 }, true],
  [{ kind: 'loader', port: 7_681 }, false],
  [{ kind: 'closed', port: null }, false],
])('of a page %j its API is asked: %s', async (web, wanted) => {
  const { examination, targets } = run({ at: [ten], web }, here);
  expect((await examination).findings.dsm?.kind).toBe(wanted ? 'ready' : 'not_applicable');
  expect(targets('dsm').length > 0).toBe(wanted);
});

test('what it says of itself is put together, the newest word first', async () => {
  const device = told({ name: 'nas', model: 'DS918+', address: ten });
  const identity = told({ name: 'old', version: '7.1.1-42962' });
  const { examination } = run({ at: [ten], device }, { ...here, identity });
  expect((await examination).identity).toEqual({ ...device, version: '7.1.1-42962' });
  expect((await run({ at: [ten] }, { ...here, identity }).examination).identity).toBeNull();
});

test.each<[dsm: Kind<'dsm'>, web: string, pages: number]>([
  ['asleep', 'not_applicable', 0],
  // DSM has said at the same port what it is.
  ['ready', 'dsm', 1],
])('disks that may be asleep are asked for first: they are %s', async (dsm, web, pages) => {
  const { examination, targets } = run({ at: [ten], dsm }, here, { gentle: true });
  expect((await examination).findings.web?.kind).toBe(web);
  expect(targets('web')).toHaveLength(pages);
  expect(targets('dsm')).toEqual([{ address: ten, port: 5_000, secure: false, name: null, base: '' }]);
});

describe('time', () => {
  const never = <T>() => new Promise<T>(() => {});
  const stuck: Partial<Probes> = {
    ...{ bridge: never, neighbour: never, ping: never, tcp: never, web: never, dsm: never, discovery: never },
    ...{ addresses: never, resolve: never },
  };
  const { neighbour: _, ...allButNeighbour } = stuck;

  test.each<[what: string, scene: Scene, about: Partial<CheckTarget>]>([
    ['nobody ever answers, and keeps to no time', { overrides: stuck }, here],
    ['not even the name', { overrides: stuck }, { configured: 'nas.lan' }],
    ['all but the neighbour', { at: [ten], overrides: allButNeighbour }, here],
  ])('%s: it ends in its own', async (_, scene, about) => {
    const began = performance.now();
    const { findings } = await run(scene, about, { probeTimeout: 100 }).examination;
    expect(performance.now() - began).toBeLessThan(longest(100) + 500);
    expect(Object.keys(findings)).toHaveLength(7);
    expect(findings.bridge.kind).toBe('not_applicable');
  });

  test('a probe that fails is one that found nothing', async () => {
    const fail = () => Promise.reject(new Error('a bug'));
    const { findings } = await run({ at: [ten], overrides: { bridge: fail, tcp: fail, dsm: fail } }, here).examination;
    const { bridge, tcp, dsm } = findings;
    expect([bridge.kind, tcp.kind, dsm?.kind]).toEqual(['not_applicable', 'silent', 'silent']);
  });

  test('given up, it ends at once', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const { examination } = run({ overrides: stuck }, here, { signal, probeTimeout: 60_000 });
    controller.abort(new Error('enough'));
    await expect(examination).rejects.toThrow('enough');
  });

  test('what is left for the last probes is whole milliseconds, as the timers of Node want them', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    onTestFinished(() => clock.mockRestore());
    const timeouts: number[] = [];
    const addresses = async () => {
      clock.mockReturnValue(3_500.25);
      return [];
    };
    const tcp: Probes['tcp'] = async ({ ports }, { timeout }) => {
      timeouts.push(timeout);
      return { kind: 'all', ms: 1, explanation: '', open: ports, closed: [] };
    };
    await run({ overrides: { addresses, tcp } }, { lastAddress: ten }).examination;
    expect(timeouts).toEqual([500]);
  });

  test('a probe that is too late is told to stop', async () => {
    const stopped = Promise.withResolvers<string>();
    const tcp: Probes['tcp'] = (_, { signal }) => {
      signal.addEventListener('abort', () => stopped.resolve('stopped'));
      return never();
    };
    await run({ at: [ten], overrides: { tcp } }, here, { probeTimeout: 100 }).examination;
    expect(await stopped.promise).toBe('stopped');
  });
});

test('where the lower layers are enough, nothing above them is asked', async () => {
  const seen: unknown[] = [];
  const enough: ExamineOptions['enough'] = (_, address) => seen.push(address) > 0;
  const { examination, asked } = run({ at: [ten] }, here, { enough });
  expect(Object.keys((await examination).findings).sort()).toEqual(['bridge', 'neighbour', 'tcp']);
  expect(asked.map(([probe]) => probe)).not.toContain('discovery');
  expect(seen).toEqual([ten]);
});
