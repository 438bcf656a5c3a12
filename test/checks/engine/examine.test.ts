/** One check: where DSM is looked for, what is asked of it, and what a check does with time. */
import { describe, expect, test } from 'vitest';
import { longest } from '../../../src/checks/engine/ask.ts';
import { examine } from '../../../src/checks/engine/examine.ts';
import type { CheckTarget } from '../../../src/checks/engine/locate.ts';
import type { Findings, Kind } from '../../../src/checks/finding.ts';
import { webPorts } from '../../../src/checks/probes/web/port.ts';
import type { Probes } from '../../../src/checks/probes.ts';
import { type DsmIdentity, unknownDsm } from '../../../src/model/check.ts';
import { domain } from '../../model/samples.ts';

const mac = '52:54:00:d5:30:01';

const subject: CheckTarget = {
  ...{ key: 'DSM', nics: domain.hardware.nics, local: true, configured: null, lastAddress: null },
  ...{ ports: [5_000, 445], identity: null, discovered: false, sweep: false },
};

interface Scene {
  /** Addresses at which the guest's MAC answers. */
  at?: readonly string[];
  /** Addresses that another machine answers at. */
  taken?: readonly string[];
  libvirt?: readonly string[];
  device?: DsmIdentity | null;
  web?: Partial<Findings['web']>;
  dsm?: Kind<'dsm'>;
  overrides?: Partial<Probes>;
}

function probesOf({ at = [], taken = [], libvirt = [], device = null, web = {}, dsm = 'ready', overrides }: Scene) {
  const asked: [probe: string, target: unknown][] = [];
  const found = <K extends string, R extends object>(probe: string, target: unknown, kind: K, rest: R) => {
    asked.push([probe, target]);
    return Promise.resolve({ kind, ms: 1, explanation: `${probe} is ${kind}.`, ...rest });
  };
  const probes: Probes = {
    bridge: target => found('bridge', target, 'ok', { mac, worst: null }),
    neighbour: target => {
      const address = at.find(one => target.candidates.includes(one)) ?? null;
      const other = target.candidates.some(one => taken.includes(one));
      const kind = address ? 'ok' : other ? 'taken' : target.candidates.length > 0 ? 'silent' : 'not_applicable';
      return found('neighbour', target, kind, { address });
    },
    ping: target => found('ping', target, 'ok', {}),
    tcp: target => found('tcp', target, 'all', { open: target.ports, closed: [] }),
    web: target => found('web', target, 'dsm', { port: 5_000, secure: false, name: null, base: '', ...web }),
    dsm: target => found('dsm', target, dsm, { identity: null }),
    discovery: target => found('discovery', target, device ? 'ready' : 'not_applicable', { device }),
    addresses: async (...target) => {
      asked.push(['addresses', target[0]]);
      return libvirt;
    },
    resolve: async name => (name === 'nas.lan' || name === '10.0.0.20' ? '10.0.0.20' : null),
    ...overrides,
  };
  return {
    probes,
    asked,
    targets: (probe: string) => asked.flatMap(([name, target]) => (name === probe ? [target] : [])),
  };
}

const run = (
  probes: Probes,
  about: Partial<CheckTarget> = {},
  signal = new AbortController().signal,
  probeTimeout = 1_000,
) =>
  examine(() => ({ ...subject, ...about }), probes, {
    prepare: null,
    enough: null,
    gentle: false,
    probeTimeout,
    signal,
  });

describe('where it is', () => {
  const ten = '10.0.0.20';
  const eleven = '10.0.0.21';

  test.each<[what: string, about: Partial<CheckTarget>, scene: Scene, address: string | null, kind: string]>([
    ['as configured', { configured: ten }, { at: [ten] }, ten, 'ok'],
    ['by its name', { configured: 'nas.lan' }, { at: [ten] }, ten, 'ok'],
    ['as configured, though its MAC does not answer', { configured: ten }, {}, ten, 'silent'],
    [
      'as configured, though libvirt knows another',
      { configured: ten },
      { libvirt: [eleven], at: [eleven] },
      ten,
      'silent',
    ],
    ['a name that nobody knows', { configured: 'gone.lan' }, {}, null, 'not_applicable'],
    [
      'a name that nobody knows now, where it was last',
      { configured: 'gone.lan', lastAddress: ten },
      { at: [ten] },
      ten,
      'ok',
    ],
    [
      'a name that nobody knows now, where libvirt knows it',
      { configured: 'gone.lan' },
      { libvirt: [ten], at: [ten] },
      ten,
      'ok',
    ],
    ['where it was last', { lastAddress: ten }, { at: [ten], libvirt: [eleven] }, ten, 'ok'],
    ['where libvirt knows it', {}, { libvirt: [ten], at: [ten] }, ten, 'ok'],
    ['it has moved, and libvirt knows', { lastAddress: ten }, { libvirt: [ten, eleven], at: [eleven] }, eleven, 'ok'],
    ['it has moved, and another machine is there', { lastAddress: ten }, { taken: [ten] }, null, 'taken'],
    ['it is silent where it was last', { lastAddress: ten }, {}, ten, 'silent'],
    ['it tells itself', {}, { device: { ...unknownDsm, address: ten }, at: [ten] }, ten, 'ok'],
    ['nobody knows', {}, {}, null, 'not_applicable'],
  ])('%s', async (_, about, scene, address, kind) => {
    const { probes, targets } = probesOf(scene);
    const found = await run(probes, about);
    expect(found.address).toBe(address);
    expect(found.findings.neighbour.kind).toBe(kind);
    expect(targets('tcp')).toEqual(address === null ? [] : [{ address, ports: [5_000, 445] }]);
  });

  test.each<[what: string, about: Partial<CheckTarget>, address: string | null]>([
    ['where it was last', { lastAddress: ten }, ten],
    ['as configured', { configured: 'nas.lan' }, ten],
    ['nowhere', {}, null],
  ])('its MAC is not known, libvirt being away: %s, and nobody is taken for another', async (_, about, address) => {
    const { probes, targets } = probesOf({ taken: [ten] });
    const found = await run(probes, { nics: [], ...about });
    expect(found.address).toBe(address);
    expect([...targets('neighbour'), ...targets('bridge')]).toEqual([]);
    expect(found.findings.neighbour).toMatchObject({ kind: 'not_applicable' });
    expect(found.findings.bridge).toMatchObject({ kind: 'not_applicable' });
  });

  test('the whole network of its bridge is searched where that is allowed and nothing else helps', async () => {
    const searched = (scene: Scene, about: Partial<CheckTarget>) => {
      const { probes, targets } = probesOf(scene);
      return run(probes, about).then(found => {
        const around = (targets('neighbour') as { around?: string[] }[]).flatMap(target => target.around ?? []);
        return [around, found.swept];
      });
    };
    expect(await searched({}, { sweep: true })).toEqual([['br0'], true]);
    expect(await searched({}, { sweep: false })).toEqual([[], false]);
    expect(await searched({}, { sweep: true, lastAddress: ten })).toEqual([['br0'], true]);
    expect(await searched({ at: [ten] }, { sweep: true, lastAddress: ten })).toEqual([[], false]);
    expect(await searched({ libvirt: [ten], at: [ten] }, { sweep: true })).toEqual([[], false]);
    expect(await searched({}, { sweep: true, configured: ten })).toEqual([[], false]);
  });

  test('what a search finds is where it is', async () => {
    const { probes } = probesOf({});
    const neighbour: Probes['neighbour'] = async ({ around = [] }) => {
      const found = around.length > 0;
      return { kind: found ? 'ok' : 'silent', ms: 1, explanation: '', address: found ? ten : null };
    };
    expect(await run({ ...probes, neighbour }, { sweep: true, lastAddress: eleven })).toMatchObject({ address: ten });
  });

  test('it has moved, and says so itself', async () => {
    const { probes } = probesOf({ at: [eleven], device: { ...unknownDsm, address: eleven } });
    const found = await run(probes, { lastAddress: ten });
    expect(found).toMatchObject({ address: eleven, findings: { neighbour: { kind: 'ok' } } });
  });

  test('libvirt is not asked where its MAC answers anyway', async () => {
    const { probes, targets } = probesOf({ at: [ten] });
    await run(probes, { lastAddress: ten });
    expect(targets('addresses')).toEqual([]);
  });

  test('discovery is told the address that is known to be its own, and no other', async () => {
    for (const [scene, addresses] of [
      [{ at: [ten] }, [ten]],
      [{ taken: [ten] }, []],
    ] as const) {
      const { probes, targets } = probesOf(scene);
      await run(probes, { lastAddress: ten, discovered: true });
      expect(targets('discovery')).toEqual([{ macs: [mac], addresses, answeredBefore: true }]);
    }
  });

  test('without an address nothing above it is asked, and each says why', async () => {
    const { probes, asked } = probesOf({});
    const { findings } = await run(probes);
    expect(new Set(asked.map(([probe]) => probe))).toEqual(new Set(['bridge', 'neighbour', 'addresses', 'discovery']));
    for (const probe of ['ping', 'tcp', 'web', 'dsm'] as const) {
      expect(findings[probe]).toMatchObject({
        kind: 'not_applicable',
        explanation: expect.stringContaining('address'),
      });
    }
  });
});

/** `5001s` is https, `8080?` either. */
test.each<[what: string, ports: number[], identity: Partial<DsmIdentity> | null, pages: string]>([
  ['the usual ports', [5_000, 5_001, 445], null, '5000 5001s'],
  ['the one of them that is configured', [5_001, 445], null, '5001s'],
  ['others', [8_080, 445, 22], null, '8080?'],
  ['none that could be a page', [445], null, '5000 5001s'],
  ['where it says itself, and the usual one', [5_000], { httpPort: 81, httpsPort: 444 }, '81 444s 5000'],
  ['no port twice', [5_000], { httpPort: 5_000 }, '5000'],
])('its page is looked for at %s', (_, ports, identity, pages) => {
  const found = webPorts(ports, identity && { ...unknownDsm, ...identity });
  const text = found.map(
    ({ port, secure }) =>
      `${port}${
        new Map([
          [null, '?'],
          [true, 's'],
        ]).get(secure) ?? ''
      }`,
  );
  expect(text.join(' ')).toBe(pages);
});

describe('its page', () => {
  const at = { lastAddress: '10.0.0.20' };
  const told = (more: Partial<DsmIdentity>) => ({ ...unknownDsm, ...more });

  test.each<[web: Partial<Findings['web']>, asked: boolean]>([
    [{ kind: 'dsm' }, true],
    [{ kind: 'silent', port: 5_000 }, true],
    [{ kind: 'loader', port: 5_000 }, true],
    [{ kind: 'loader', port: 7_681 }, false],
    [{ kind: 'closed', port: null }, false],
  ])('%j: its API is asked: %s', async (web, wanted) => {
    const { probes, targets } = probesOf({ at: ['10.0.0.20'], web });
    const { findings } = await run(probes, at);
    expect(targets('dsm').length > 0).toBe(wanted);
    expect(findings.dsm?.kind).toBe(wanted ? 'ready' : 'not_applicable');
  });

  test('what it says of itself is put together, the newest word first', async () => {
    const device = told({ name: 'nas', model: 'DS918+', address: '10.0.0.20' });
    const { probes } = probesOf({ at: ['10.0.0.20'], device });
    const identity = told({ name: 'old', version: '7.1.1-42962' });
    expect((await run(probes, { ...at, identity })).identity).toEqual({ ...device, version: '7.1.1-42962' });
    const mute = probesOf({ at: ['10.0.0.20'] });
    expect((await run(mute.probes, { ...at, identity })).identity).toBeNull();
  });
});

describe('its disks may be asleep', () => {
  const gently = (scene: Scene) => {
    const { probes, targets } = probesOf({ at: ['10.0.0.20'], ...scene });
    const options = {
      prepare: null,
      enough: null,
      gentle: true,
      probeTimeout: 1_000,
      signal: new AbortController().signal,
    };
    return examine(() => ({ ...subject, lastAddress: '10.0.0.20' }), probes, options).then(found => ({
      found,
      targets,
    }));
  };

  test('they are: nothing else is asked of DSM', async () => {
    const { found, targets } = await gently({ dsm: 'asleep' });
    expect(targets('dsm')).toEqual([{ address: '10.0.0.20', port: 5_000, secure: false, name: null, base: '' }]);
    expect(targets('web')).toEqual([]);
    expect(found.findings.web).toMatchObject({ kind: 'not_applicable' });
  });

  test('they are not: everything is', async () => {
    const { found, targets } = await gently({ dsm: 'ready' });
    expect(targets('web')).toHaveLength(1);
    expect(found.findings.web?.kind).toBe('dsm');
    // It has said at the same port what it is.
    expect(targets('dsm')).toHaveLength(1);
  });
});

describe('time', () => {
  const never = <T>() => new Promise<T>(() => {});
  const stuck: Partial<Probes> = {
    ...{ bridge: never, neighbour: never, ping: never, tcp: never, web: never, dsm: never, discovery: never },
    ...{ addresses: never, resolve: never },
  };

  test.each<[what: string, overrides: Partial<Probes>, about: Partial<CheckTarget>]>([
    ['nobody ever answers, and keeps to no time', stuck, { lastAddress: '10.0.0.20' }],
    ['not even the name', stuck, { configured: 'nas.lan' }],
    [
      'all but the neighbour',
      { ...stuck, neighbour: probesOf({ at: ['10.0.0.20'] }).probes.neighbour },
      { lastAddress: '10.0.0.20' },
    ],
  ])('%s: it ends in its own', async (_, overrides, about) => {
    const { probes } = probesOf({ overrides });
    const began = performance.now();
    const { findings } = await run(probes, about, undefined, 100);
    expect(performance.now() - began).toBeLessThan(longest(100) + 500);
    expect(Object.keys(findings)).toHaveLength(7);
    expect(findings.bridge.kind).toBe('not_applicable');
  });

  test('a probe that fails is one that found nothing', async () => {
    const fail = () => Promise.reject(new Error('a bug'));
    const { probes } = probesOf({ at: ['10.0.0.20'], overrides: { bridge: fail, tcp: fail, dsm: fail } });
    const { findings } = await run(probes, { lastAddress: '10.0.0.20' });
    expect([findings.bridge.kind, findings.tcp.kind, findings.dsm?.kind]).toEqual([
      'not_applicable',
      'silent',
      'silent',
    ]);
  });

  test('given up, it ends at once', async () => {
    const controller = new AbortController();
    const { probes } = probesOf({ overrides: stuck });
    const asked = run(probes, { lastAddress: '10.0.0.20' }, controller.signal, 60_000);
    controller.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  });

  test('a probe that is too late is told to stop', async () => {
    const stopped = Promise.withResolvers<void>();
    const tcp: Probes['tcp'] = (_, { signal }) => {
      signal.addEventListener('abort', () => stopped.resolve());
      return never();
    };
    const { probes } = probesOf({ at: ['10.0.0.20'], overrides: { tcp } });
    await run(probes, { lastAddress: '10.0.0.20' }, undefined, 100);
    await stopped.promise;
  });
});

test('where the lower layers are enough, nothing above them is asked', async () => {
  const { probes, asked } = probesOf({ at: ['10.0.0.20'] });
  const { signal } = new AbortController();
  const options = { prepare: null, gentle: false, probeTimeout: 1_000, signal };
  const seen: unknown[] = [];
  const enough = (...what: unknown[]) => {
    seen.push(what[1]);
    return true;
  };
  const found = await examine(() => ({ ...subject, lastAddress: '10.0.0.20' }), probes, { ...options, enough });
  expect(Object.keys(found.findings).sort()).toEqual(['bridge', 'neighbour', 'tcp']);
  expect(asked.map(([probe]) => probe)).not.toContain('discovery');
  expect(seen).toEqual(['10.0.0.20']);
});
