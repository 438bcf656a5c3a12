/** What the verbs make of a configuration that takes every domain of a host. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expanded } from '../../src/app/every-domain.ts';
import { checkConfig } from '../../src/cli/check-config.ts';
import { findVm } from '../../src/cli/command.ts';
import { dump } from '../../src/cli/dump/dump.ts';
import { polkit } from '../../src/cli/rights/polkit.ts';
import { status } from '../../src/cli/status.ts';
import type { Config } from '../../src/config/config.ts';
import { unknownDescription, unknownHardware } from '../../src/model/domain.ts';
import { directory, load } from '../config/harness.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { captured } from './output.ts';

let daemon: FakeLibvirtd;
let folder: string;
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
  folder = await mkdtemp(join(tmpdir(), 'every-'));
});
afterEach(async () => {
  await daemon.close();
  await rm(folder, { recursive: true });
});

const text = (vms: string, uri = daemon.uri) =>
  `mqtt: { url: mqtt://broker }\nlibvirt: { uri: '${uri}' }\ndata_dir: '${folder}'\nhealth: { listen: 'off' }\nvms: ${vms}\n`;
const { signal } = new AbortController();
const keys = ({ vms }: Config) => vms.map(({ key }) => key);

/** As a bridge has left it. */
async function announce(key: string, uuid: string, name: string): Promise<void> {
  const vms = { [key]: { uuid, name, on: null, hardware: unknownHardware, dsm: unknownDescription } };
  const value = { devices: {}, vms, hypervisors: {}, hosts: {} };
  await writeFile(join(folder, 'announced.json'), JSON.stringify({ version: 1, value }));
}

test('status: all that are there, with the keys that the bridge gave them', async () => {
  const { uuid } = daemon.define();
  daemon.defineMany(1);
  await announce('nas', uuid, 'DSM');
  const config = await expanded(await load(text('all')));
  const { code, stdout } = await captured(streams => status({ config, json: true, ...streams }));
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject([
    { id: 'nas', name: 'DSM' },
    { id: 'vm-0', name: 'vm-0' },
  ]);
  expect(findVm(config, 'DSM').key).toBe('nas');
});

test('libvirt is away: the VMs are those that were there; nobody knows more, and that is said', async () => {
  const written = await load(text('all', 'qemu:///system?socket=/none'));
  const nothing = await expanded(written);
  expect(nothing.vms).toEqual([]);
  const answer = await captured(streams => status({ config: nothing, json: false, ...streams }));
  expect(answer).toMatchObject({ code: 3, stderr: expect.stringContaining('/none') });
  await announce('nas', '00000000-0000-4000-8000-000000000001', 'DSM');
  expect(keys(await expanded(written))).toEqual(['nas']);
});

test('a libvirt that hangs is not waited for long', async () => {
  const socket = join(folder, 'sock');
  const server = createServer();
  await once(server.listen(socket), 'listening');
  await announce('nas', '00000000-0000-4000-8000-000000000001', 'DSM');
  expect(keys(await expanded(await load(text('all', `qemu:///system?socket=${socket}`))))).toEqual(['nas']);
  server.close();
});

test('check-config asks nothing, and says what is taken', async () => {
  const vms = '[{ domain: DSM }, { all: true, except: [test, old], commands: [start] }]';
  using _ = directory({ 'config.yaml': text(vms, 'qemu:///system?socket=/none') });
  const ask = (json: boolean) => captured(streams => checkConfig({ json, rights: false, env: {}, ...streams }));
  const { code, stdout } = await ask(false);
  expect(code).toBe(0);
  expect(stdout).toContain('  - all: true\n    except:\n      - test\n      - old\n');
  expect(JSON.parse((await ask(true)).stdout).vms).toMatchObject([
    { domain: 'DSM', id: 'DSM' },
    { all: true, except: ['test', 'old'], commands: ['start'] },
  ]);
});

test('check-config --rights asks about each domain that is there', async () => {
  daemon.defineMany(2);
  using _ = directory({ 'config.yaml': text('[{ all: true, commands: [force_off] }]') });
  const { stdout } = await captured(streams => checkConfig({ json: true, rights: true, env: {}, ...streams }));
  const { rights } = JSON.parse(stdout) as { rights: { vm: string; permission: string }[] };
  expect(rights.filter(({ permission }) => permission === 'domain.stop').map(({ vm }) => vm)).toEqual(['vm-0', 'vm-1']);
});

test('dump: what is written, and what is there', async () => {
  daemon.defineMany(1);
  const loaded = { config: await load(text('all')), sources: { file: null, environment: [] } };
  const { stdout } = await captured(streams => dump({ loaded, ...streams }));
  expect(JSON.parse(stdout)).toMatchObject({
    configuration: { vms: [{ all: true, commands: [] }] },
    libvirt: { vms: { 'vm-0': { domain: { state: 'shut_off' } } } },
  });
});

test('polkit: of every domain, also of those to come, but not of those that are left out', async () => {
  const left = '00000000-0000-4000-8000-000000000001';
  const config = await load(
    text(`[{ domain: DSM, commands: [reset] }, { all: true, except: [a.b/c, ${left}], commands: [start] }]`),
  );
  const { code, stdout } = await captured(streams =>
    polkit({ config, define: false, user: 'bridge', signal, ...streams }),
  );
  expect(code).toBe(0);
  type Rule = (action: object, subject: object) => string;
  let rule: Rule = () => '';
  const Result = { YES: 'yes', NO: 'no', NOT_HANDLED: 'other' };
  runInNewContext(stdout, { polkit: { Result, addRule: (each: Rule) => (rule = each) } });
  const may = (permission: string, name: string, uuid = '00000000-0000-4000-8000-000000000009') => {
    const details: Record<string, string> = { connect_driver: 'QEMU', domain_name: name, domain_uuid: uuid };
    const action = { id: `org.libvirt.api.${permission}`, lookup: (detail: string) => details[detail] };
    return rule(action, { user: 'bridge' });
  };
  expect(may('domain.start', 'any')).toBe('yes');
  expect(may('domain.start', 'aXb/c')).toBe('yes');
  expect(may('domain.start', 'a.b/c')).toBe('no');
  expect(may('domain.start', 'any', left)).toBe('no');
  expect(may('domain.start', 'DSM')).toBe('no');
  expect(may('domain.reset', 'DSM')).toBe('yes');
  expect(may('domain.reset', 'any')).toBe('no');
});
