/** The rules are run as polkitd runs them: whom and what they allow. */
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type HostConfig, hostConfigs } from '../../src/config/config.ts';
import { rightsOf } from '../../src/rights/needs.ts';
import { rulesFile } from '../../src/rights/rules.ts';
import { load } from '../config/harness.ts';

type Details = Record<string, string>;
type Rule = (action: object, subject: object) => string | null;

const image = { key: '/images/loader.img', pool: null, volume: null };
const loader = 'loader: { model: DS918+, platform: 7.1.1-42962';

async function rules(vms: string, { define = false, groups = ['libvirt'], more = '' } = {}) {
  const config = await load(`mqtt: { url: mqtt://broker }\nvms: [${vms}]\n${more}`);
  const [host] = hostConfigs(config) as [HostConfig];
  const rights = rightsOf(host, { images: new Map([['DSM', image]]), define });
  const text = rulesFile({ user: 'bridge', groups, readOnly: host.libvirt.readOnly, rights });
  let rule: Rule = () => null;
  const polkit = { addRule: (given: Rule) => (rule = given), Result: { YES: 'yes', NO: 'no', NOT_HANDLED: null } };
  runInNewContext(text, { polkit });
  const asked = (user: string, id: string, details: Details = {}, memberOf: string[] = []) =>
    rule(
      { id: id.startsWith('org.') ? id : `org.libvirt.${id}`, lookup: (key: string) => details[key] },
      { user, isInGroup: (group: string) => memberOf.includes(group) },
    );
  const may = (permission: string, details: Details = dsm) => asked('bridge', `api.${permission}`, details) === 'yes';
  return { text, asked, may };
}

const dsm = { connect_driver: 'QEMU', domain_name: 'DSM', domain_uuid: '186682f9-0f0b-4a9e-867b-364706339405' };

test.each([
  ['start', ['domain.start', 'domain.suspend', 'domain.pm-control', 'network-port.create', 'nwfilter-binding.create']],
  ['shutdown', ['domain.init-control']],
  ['reboot', ['domain.init-control', 'domain.start']],
  ['force_off', ['domain.stop', 'network-port.delete']],
  ['reset', ['domain.reset']],
  ['suspend', ['domain.suspend']],
  ['resume', ['domain.suspend', 'domain.pm-control']],
  ['screenshot', ['domain.screenshot']],
  ['autostart', ['domain.write']],
  ['check, quiet, refresh, cancel', []],
])('%s: just what it needs', async (listed, needed) => {
  const { may } = await rules(`{ domain: DSM, commands: [${listed}] }`);
  const all = [
    'start',
    'stop',
    'init-control',
    'reset',
    'suspend',
    'pm-control',
    'screenshot',
    'write',
    'save',
    'delete',
  ];
  const domain = all.map(each => `domain.${each}`).filter(each => may(each));
  expect(domain).toEqual(expect.arrayContaining(needed.filter(each => each.startsWith('domain.'))));
  expect(domain).toHaveLength(needed.filter(each => each.startsWith('domain.')).length);
  expect(needed.filter(each => !may(each))).toEqual([]);
});

test.each([
  ['DSM', { ...dsm, domain_name: 'other' }],
  [dsm.domain_uuid.toUpperCase(), { ...dsm, domain_uuid: '286682f9-0f0b-4a9e-867b-364706339405' }],
])('only the configured domain, by name or UUID: %s', async (domain, other) => {
  const { may } = await rules(`{ domain: ${domain}, id: DSM }`);
  expect(may('domain.start')).toBe(true);
  expect(may('domain.start', other)).toBe(false);
  expect(may('domain.start', { ...dsm, connect_driver: 'LXC' })).toBe(false);
});

describe('who', () => {
  test('only this user; groups as named, and what is not libvirt’s is no matter', async () => {
    const { asked } = await rules('{ domain: DSM }');
    expect(asked('bridge', 'unix.manage')).toBe('yes');
    // In a group that may all: the user's own rules count.
    expect(asked('bridge', 'api.domain.delete', dsm, ['libvirt'])).toBe('no');
    expect(asked('somebody', 'api.domain.start', dsm)).toBeNull();
    expect(asked('somebody', 'api.domain.delete', dsm, ['libvirt'])).toBe('yes');
    expect(asked('bridge', 'org.freedesktop.systemd1.manage-units')).toBeNull();
  });

  test('what libvirt shows to everybody stays as it is', async () => {
    const { asked } = await rules('{ domain: DSM }');
    for (const id of ['domain.read', 'domain.getattr', 'connect.search-domains', 'network.getattr'])
      expect(asked('bridge', `api.${id}`, {}), id).toBeNull();
    for (const id of ['domain.read-secure', 'domain.mem-read', 'domain.block-read', 'storage-vol.data-read'])
      expect(asked('bridge', `api.${id}`, dsm), id).toBe('no');
  });

  test('read_only: the other socket, and nothing that changes', async () => {
    const { asked, may, text } = await rules('{ domain: DSM }', { more: 'libvirt: { read_only: true }' });
    expect([asked('bridge', 'unix.monitor'), asked('bridge', 'unix.manage')]).toEqual(['yes', 'no']);
    expect(may('domain.start')).toBe(false);
    expect(text).toContain('auth_unix_ro = "polkit"');
  });
});

describe('what makes root all the same is said', () => {
  const root = /^\/\/ ROOT: .*/gm;

  test('not with the usual commands', async () => {
    const { text } = await rules('{ domain: DSM, commands: [start, shutdown, reboot, force_off, reset, screenshot] }');
    expect(text).not.toMatch(root);
  });

  test.each([
    ['{ domain: DSM, commands: [autostart] }', 'autostart'],
    ['{ domain: DSM, shutdown: { method: auto } }', 'shutdown'],
    ['{ domain: DSM, guest: other, checks: { agent: true } }', 'checks.agent'],
    [`{ domain: DSM, ${loader}, transient_pool: true } }`, 'transient_pool'],
  ])('%s', async (vm, use) => {
    expect((await rules(vm)).text.match(root)?.join()).toContain(`It is for: ${use}.`);
  });

  test('--define', async () => {
    const create =
      'create: { memory: 4GiB, bridge: br0, image: /images/loader.img, disks: [{ pool: default, size: 10GiB }] }';
    const vm = `{ domain: DSM, ${loader} }, ${create} }`;
    const without = await rules(vm);
    expect([without.may('domain.write'), without.may('domain.save')]).toEqual([false, false]);
    const { may, text } = await rules(vm, { define: true });
    expect(text).toMatch(root);
    expect(['domain.write', 'domain.save', 'domain.read-secure'].every(each => may(each))).toBe(true);
    expect(may('storage-vol.create', { pool_name: 'default', vol_name: 'DSM-1.img' })).toBe(true);
    expect(may('storage-vol.create', { pool_name: 'default', vol_name: 'other.img' })).toBe(false);
  });
});

describe('a loader’s image', () => {
  const here = { vol_key: image.key };

  test.each([
    ['a volume is read', '[start]', '}', { 'data-read': true, 'data-write': false }],
    ['and written by a rebuild', '[rebuild]', '}', { 'data-read': true, 'data-write': true }],
    [
      'a path is libvirt’s business no more',
      '[rebuild]',
      ', image: /images/loader.img }',
      { 'data-read': false, 'data-write': false },
    ],
  ])('%s', async (_, commands, end, expected) => {
    const { may } = await rules(`{ domain: DSM, commands: ${commands}, ${loader}${end} }`);
    for (const [permission, allowed] of Object.entries(expected)) {
      expect(may(`storage-vol.${permission}`, here), permission).toBe(allowed);
      expect(may(`storage-vol.${permission}`, { vol_key: '/images/sda.img' }), permission).toBe(false);
    }
  });

  test('transient_pool: pools of the bridge’s own names', async () => {
    const { may } = await rules(`{ domain: DSM, ${loader}, transient_pool: true } }`);
    expect(may('storage-pool.start', { pool_name: `dsm2mqtt-${dsm.domain_uuid}` })).toBe(true);
    expect(may('storage-pool.stop', { pool_name: 'default' })).toBe(false);
  });
});
