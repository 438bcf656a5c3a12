/** `polkit` and `check-config --rights`, with libvirt's part played by the fake. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkConfig } from '../../src/cli/check-config.ts';
import { polkit } from '../../src/cli/rights/polkit.ts';
import { directory, load } from '../config/harness.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { captured } from './output.ts';

let daemon: FakeLibvirtd;
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await daemon.close();
});

const text = (uri: string, vm: string) =>
  `mqtt: { url: mqtt://broker }\nlibvirt: { uri: '${uri}' }\nvms: [{ domain: DSM, ${vm} }]\n`;
const volume = 'loader: { model: DS918+, platform: 7.1.1-42962 }, commands: [rebuild]';
const { signal } = new AbortController();

describe('polkit', () => {
  const print = async (uri: string, vm = 'commands: [start]', more: { user?: string } = {}) => {
    const config = await load(text(uri, vm));
    return captured(streams => polkit({ config, define: false, signal, ...more, ...streams }));
  };

  test('with usual commands libvirt is not asked', async () => {
    const printed = await print('qemu:///system?socket=/none', undefined, { user: 'bridge' });
    expect(printed).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('var user = "bridge";') });
  });

  test('of several hosts, one has to be named', async () => {
    const hosts = "libvirt: [{ name: one }, { name: two, uri: 'qemu+ssh://nas@two.lan/system' }]";
    const vms = 'vms: [{ domain: DSM, on: one, commands: [start] }, { domain: other, on: two, commands: [reset] }]';
    const config = await load(`mqtt: { url: mqtt://broker }\n${hosts}\n${vms}\n`);
    const ask = (host?: string) =>
      captured(streams => polkit({ config, define: false, signal, ...(host && { host }), ...streams }));
    const { stdout } = await ask('two');
    expect(stdout).toContain('var user = "nas";');
    expect(stdout).not.toContain('DSM');
    expect(await ask()).toMatchObject({ code: 2, stderr: expect.stringContaining('name it with --host (one, two)') });
    expect(await ask('three')).toMatchObject({ code: 2, stderr: expect.stringMatching(/no host 'three'.*one, two/) });
  });

  test('over SSH: for the user of that machine', async () => {
    expect((await print('qemu+ssh://nas@host.lan/system')).stdout).toContain('var user = "nas";');
  });

  test.each([
    ['qemu+tls://host.lan/system', {}, 1, /knows no user/],
    ['qemu:///session', {}, 1, /nobody is asked/],
    ['qemu+ssh://root@host.lan/system', {}, 2, /never refuses root/],
    ['qemu:///system', { user: 'a"b' }, 2, /'a"b' is no name/],
  ])('%s %j is refused: %i', async (uri, more, code, why) => {
    vi.stubEnv('XDG_RUNTIME_DIR', '/run/user/1000');
    expect(await print(uri, undefined, more)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(why) });
  });

  test('a loader’s image: the one that the domain has, and no rules where that is unknown', async () => {
    daemon.define();
    expect(await print(daemon.uri, volume, { user: 'bridge' })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/"storage-vol\.data-write", on: \{ vol_key: "\/.*" \} \}, \/\/ rebuild/),
    });
    expect(await print('qemu:///system?socket=/none', volume)).toMatchObject({ code: 3, stdout: '' });
  });

  test('a domain that is not there: 1', async () => {
    expect(await print(daemon.uri, volume)).toMatchObject({ code: 1, stderr: expect.stringMatching(/names no file/) });
  });
});

describe('check-config --rights', () => {
  const check = async (vm: string, { json = false, uri = daemon.uri } = {}) => {
    using _ = directory({ 'config.yaml': text(uri, vm) });
    return await captured(streams => checkConfig({ json, rights: true, env: {}, ...streams }));
  };
  const usual = 'commands: [start, shutdown, force_off, suspend, screenshot, autostart], console: boots';

  test('off: nothing happens, and all but the start is known', async () => {
    const domain = daemon.define();
    const { code, stdout } = await check(usual, { json: true });
    const { rights, beyond } = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(rights).toContainEqual({ vm: 'DSM', permission: 'domain.stop', for: ['force_off'], answer: 'allowed' });
    const unasked = rights.filter(({ answer }: { answer: string }) => answer === 'unasked');
    expect(unasked.map(({ permission }: { permission: string }) => permission)).toEqual(
      expect.arrayContaining(['domain.start', 'network-port.create']),
    );
    expect(beyond).toEqual([]);
    expect(domain.active).toBe(false);
  });

  test('running: what would touch it is not asked', async () => {
    const domain = daemon.define();
    domain.start();
    const { code, stdout } = await check(usual);
    expect(code).toBe(0);
    expect(stdout).toMatch(/DSM +domain\.start +ok +for start\n/);
    expect(stdout).toMatch(/DSM +domain\.stop +not asked +for force_off\n/);
    expect(domain.state).toMatchObject({ state: 1 });
  });

  test('refused: 1, what is missing and for what', async () => {
    daemon.define();
    using _ = daemon.refuse('domainShutdownFlags', 88);
    const { code, stdout } = await check(usual);
    expect(code).toBe(1);
    expect(stdout).toMatch(/DSM +domain\.init-control +MISSING +for shutdown\n/);
  });

  test('of several hosts: what each allows, and one that is away or is only read keeps nothing from the others', async () => {
    daemon.define();
    const hosts = [`{ name: one, uri: '${daemon.uri}' }`, `{ name: two, uri: '${daemon.uri}-gone' }`];
    const only = `{ name: three, uri: '${daemon.readOnlyUri}', read_only: true }`;
    const vms = 'vms: [{ domain: DSM, on: one, commands: [force_off] }, { domain: DSM, on: two, id: other }]';
    const yaml = `mqtt: { url: mqtt://broker }\nlibvirt: [${[...hosts, only].join(', ')}]\n${vms}\n`;
    using _ = directory({ 'config.yaml': yaml });
    const asked = await captured(streams => checkConfig({ json: false, rights: true, env: {}, ...streams }));
    expect(asked).toMatchObject({ code: 3, stderr: expect.stringMatching(/^two \(qemu\+unix:.*-gone\): /) });
    expect(asked.stdout).toMatch(/What one allows .*\n {2}DSM +domain\.stop +ok +for force_off\n/);
    expect(asked.stdout).toContain('\nthree: read_only is set, so nothing has to be allowed.\n');
  });

  test('who may more than needed is told; 3 without libvirt', async () => {
    daemon.define();
    expect((await check('commands: [start]')).stdout).toMatch(/DSM: this user may also change its definition/);
    expect(await check('commands: [start]', { uri: 'qemu:///system?socket=/none' })).toMatchObject({ code: 3 });
  });
});
