/** `all`: what may be written, and which VMs come of it. */
import { describe, expect, test } from 'vitest';
import { isTaken, withEveryDomain } from '../../src/config/every-domain.ts';
import { complaints, load } from './harness.ts';

const broker = 'mqtt: { url: mqtt://b }';
const hosts = 'libvirt: [{ name: one }, { name: two, uri: "qemu+tls://two/system" }]';
const one = (vms: string) => `${broker}\nvms: ${vms}`;
const two = (vms: string) => `${broker}\n${hosts}\nvms: ${vms}`;
const uuidOf = (nth: number) => `0000000${nth}-0000-4000-8000-000000000000`;

describe('the configuration', () => {
  test('all: every domain, of any system, read-only', async () => {
    const { vms, templates } = await load(one('all'));
    expect(vms).toEqual([]);
    const [template, ...more] = templates;
    expect(template).toMatchObject({ on: null, except: [], guest: 'other', commands: [], checks: { ports: [] } });
    expect(more).toEqual([]);
  });

  test.each([
    ['all', ['one', 'two']],
    ['[{ all: true }]', ['one', 'two']],
    ['[{ all: true, on: two }, { domain: x, on: two }]', ['two']],
  ])('%s of two hosts: of %j', async (vms, names) => {
    expect((await load(two(vms))).templates.map(({ on }) => on)).toEqual(names);
  });

  test('what else it has, each of its VMs has', async () => {
    const { templates } = await load(
      one(
        '[{ all: true, except: [a, a], commands: [start], guest: dsm, expected: running, shutdown: { timeout: 2m } }]',
      ),
    );
    expect(templates[0]).toMatchObject({
      ...{ except: ['a'], commands: ['start'], guest: 'dsm', expected: 'running', shutdown: { timeout: 120_000 } },
      checks: { ports: [5_000, 5_001, 445] },
    });
  });

  test('by the environment', async () => {
    expect((await load(one('[{ domain: x }]'), { DSM2MQTT_VMS: 'all' })).templates).toHaveLength(1);
    expect((await load(one('[{ guest: other }]'), { DSM2MQTT_VMS__0__ALL: 'true' })).templates).toHaveLength(1);
    expect(await complaints(one('all'), { DSM2MQTT_VMS__0__DOMAIN: 'x' })).toEqual([
      'environment DSM2MQTT_VMS__0__DOMAIN vms[0].domain: the file has a word there',
    ]);
  });

  test.each([
    [one('[{ all: true, domain: x }]'), 'vms[0].domain: does not go with `all`: it is of a single VM'],
    [one('[{ all: true, id: x }]'), 'vms[0].id: does not go with `all`: it is of a single VM'],
    [one('[{ all: true, name: x }]'), 'vms[0].name: does not go with `all`: it is of a single VM'],
    [one('[{ all: true, after: [x] }, { domain: x }]'), 'vms[0].after: does not go with `all`: it is of a single VM'],
    [one('[{ all: true, address: 10.0.0.1 }]'), 'vms[0].address: does not go with `all`: it is of a single VM'],
    [
      one('[{ all: true, loader: { model: DS918+, platform: ds918p-7.1.1-42962 } }]'),
      'vms[0].loader: does not go with `all`: it is of a single VM',
    ],
    [
      one('[{ all: true, commands: [rebuild] }]'),
      'vms[0].commands[0]: is only for `guest: dsm`, and this one is other',
    ],
    [
      one('[{ all: true, shutdown: { on_timeout: force_off } }]'),
      'vms[0].shutdown.on_timeout: force_off is not among the commands of this VM',
    ],
    [one('[{ domain: x, except: [a] }]'), 'vms[0].except: has no effect without `all: true`'],
    [one('[{ all: false }]'), 'vms[0].domain: is missing'],
    [one('[{ all: true }, { all: true }]'), 'vms[1].all: vms[0] takes all of that host'],
    [two('[{ all: true, on: one }, { all: true }]'), 'vms[1].all: vms[0] takes all of that host'],
    [two('[{ all: true, on: three }]'), 'vms[0].on: there is no such host'],
    [one('al'), 'vms: expected all or a list, found `al`'],
    [one('{ all: true }'), 'vms: expected all or a list, found a mapping'],
    [one('[]'), 'vms: must name at least one VM'],
  ])('%s is refused', async (text, complaint) => {
    expect((await complaints(text)).map(each => each.replace(/^\S+ /, ''))).toEqual([complaint]);
  });
});

describe('the VMs', () => {
  type Names = Readonly<Record<string, number>>;
  type Known = Readonly<Record<string, { uuid: string; name: string; on: string | null }>>;

  /** `KEY: NAME on HOST` of each. `found`: by host, empty for the only one, the domains by name. */
  async function expand(text: string, found: Readonly<Record<string, Names>>, known: Known = {}): Promise<string[]> {
    const there = Object.entries(found).map(([host, names]) => {
      return [host || null, Object.entries(names).map(([name, nth]) => ({ name, uuid: uuidOf(nth) }))] as const;
    });
    const { vms } = withEveryDomain(await load(text), new Map(there), known);
    return vms.map(({ key, label, on }) => `${key}: ${label}${on === null ? '' : ` on ${on}`}`);
  }
  const was = (nth: number, name: string, on: string | null = null) => ({ uuid: uuidOf(nth), name, on });

  test('each is followed by its UUID, and has what the entry has', async () => {
    const config = await load(one('[{ all: true, commands: [start], expected: running }]'));
    const { vms } = withEveryDomain(config, new Map([[null, [{ name: 'web', uuid: uuidOf(1) }]]]), {});
    expect(vms).toHaveLength(1);
    expect(vms[0]).toMatchObject({
      ...{ domain: uuidOf(1), on: null, key: 'web', label: 'web', guest: 'other', commands: ['start'] },
      ...{ expected: 'running', loader: null, create: null, address: null },
    });
    expect(vms[0]).not.toHaveProperty('except');
  });

  test.each<[what: string, text: string, found: Readonly<Record<string, Names>>, known: Known, vms: string[]]>([
    ['in the order of their names', one('all'), { '': { b: 2, a: 1 } }, {}, ['a: a', 'b: b']],
    ['none', one('all'), { '': {} }, {}, []],
    [
      'those with an entry of their own are not taken, by name or UUID',
      one(`[{ all: true }, { domain: a, id: x }, { domain: ${uuidOf(2)}, id: y }]`),
      { '': { a: 1, b: 2, c: 3 } },
      {},
      ['x: a', `y: ${uuidOf(2)}`, 'c: c'],
    ],
    [
      'one of that name on another host is',
      two('[{ all: true, on: two }, { domain: a, on: one, id: x }]'),
      { two: { a: 2 } },
      {},
      ['x: a on one', 'a: a on two'],
    ],
    [
      'nor those of `except`, by name or UUID',
      one(`[{ all: true, except: [a, ${uuidOf(2).toUpperCase()}, nobody] }]`),
      { '': { a: 1, b: 2, c: 3 } },
      {},
      ['c: c'],
    ],
    [
      'a key that is taken: with the host, or the UUID',
      two('[{ all: true }, { domain: other, on: one, id: web }]'),
      { one: { web: 1 }, two: { web: 2, web_two: 3 } },
      {},
      ['web: other on one', 'web_one: web on one', 'web_two: web on two', 'web_two_two: web_two on two'],
    ],
    [
      'names that make one key, or none',
      one('all'),
      { '': { 'a b': 1, 'a/b': 2, a_b: 3, '☃': 4, bridge: 5, host: 6 } },
      {},
      [
        ...['a_b: a b', 'a_b_00000002: a/b', 'a_b_00000003: a_b', 'bridge_00000005: bridge', 'host_00000006: host'],
        'vm_00000004: ☃',
      ],
    ],
    [
      'a very long name',
      one('all'),
      { '': { ['x'.repeat(200)]: 1 } },
      {},
      [`${'x'.repeat(80)}_00000001: ${'x'.repeat(200)}`],
    ],
    [
      'a renamed one keeps its key; one with its former name gets another',
      one('all'),
      { '': { new: 1, old: 2 } },
      { old: was(1, 'old') },
      ['old: new', 'old_00000002: old'],
    ],
    ['a damaged key is not kept', one('all'), { '': { a: 1 } }, { 'a/#': was(1, 'a') }, ['a: a']],
    [
      'an entry takes the key that another one had',
      one('[{ all: true }, { domain: x, id: a }]'),
      { '': { a: 1 } },
      { a: was(1, 'a') },
      ['a: x', 'a_00000001: a'],
    ],
    ['of a host that is away: as it was', one('all'), {}, { k: was(1, 'a'), l: was(2, 'b') }, ['k: a', 'l: b']],
    [
      'of that host alone',
      two('all'),
      { two: { c: 3 } },
      { a: was(1, 'a', 'one'), b: was(2, 'b', 'two') },
      ['a: a on one', 'c: c on two'],
    ],
    [
      'of one that had no name before',
      two('[{ all: true, on: two }]'),
      {},
      { a: was(1, 'a'), b: was(2, 'b', 'one') },
      ['a: a on two'],
    ],
    ['on two hosts: on any', two('all'), { one: { a: 1 }, two: { a: 1 } }, {}, ['a: a']],
  ])('%s', async (_, text, found, known, vms) => {
    expect(await expand(text, found, known)).toEqual(vms);
  });

  test.each([
    ['start, reset', []],
    ['start', ['start']],
  ])('one that two hosts have: commands only if both permit the same: %s', async (commands, both) => {
    const config = await load(
      two(`[{ all: true, on: one, commands: [${commands}] }, { all: true, on: two, commands: [start] }]`),
    );
    const there = [{ name: 'a', uuid: uuidOf(1) }];
    const { vms } = withEveryDomain(
      config,
      new Map([
        ['one', there],
        ['two', there],
      ]),
      {},
    );
    expect(vms.map(each => each.commands)).toEqual([both]);
  });
});

test('a UUID counts however it is written', async () => {
  const uuid = 'abcdef00-0000-4000-8000-000000000000';
  const config = await load(one(`[{ all: true, except: [${uuid.toUpperCase()}] }]`));
  for (const written of [uuid, uuid.toUpperCase()])
    expect(isTaken(config, null, { uuid: written, name: 'x' })).toBe(false);
  expect(isTaken(config, null, { uuid: uuidOf(1), name: 'x' })).toBe(true);
});
