/** `loader V`, with libvirt's part played by the fake: what it says of each image in the fixtures, and how it ends. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { InspectVmOptions } from '../../../src/cli/loader/inspect.ts';
import { loader } from '../../../src/cli/loader/loader.ts';
import type { HostConfig } from '../../../src/config/config.ts';
import { ImageError } from '../../../src/loader/image/image.ts';
import type { World } from '../../../src/loader/plan/world.ts';
import type { LoaderSettings } from '../../../src/model/loader-settings.ts';
import { vmConfig } from '../../bridge/running.ts';
import { imageOf, images } from '../../loader/kinds/images.ts';
import { type RebuildWorld, rebuildWorld, world } from '../../loader/rebuild-world.ts';
import { captured } from '../output.ts';

interface Changes {
  image?: string;
  settings?: Partial<LoaderSettings> | null;
  options?: Partial<InspectVmOptions>;
}

async function run(it: RebuildWorld, { image = 'tcrp-0.9.2.9', settings = {}, options }: Changes = {}) {
  const { partition, home } = await imageOf(image);
  const config = {
    libvirt: { uri: it.daemon.uri, readOnly: false, statsInterval: 60_000 },
    vms: [vmConfig({ loader: settings && { ...it.settings, kind: 'auto', upgrade: 'never', ...settings } })],
    dataDir: join(it.folder, 'data'),
  } as unknown as HostConfig;
  const noHome = async () => {
    throw new ImageError('bad_home', 'it has none');
  };
  const call: Omit<InspectVmOptions, 'stdout' | 'stderr'> = {
    ...{ config, vm: 'DSM', json: false, signal: new AbortController().signal },
    ...options,
    world: { ...world, home: home ? async () => home : noHome, menu: async () => partition, ...options?.world },
  };
  return captured(streams => loader({ ...call, ...streams }));
}

test('TinyCore RedPill: release, DSM, versions in its own list; nothing is changed or left behind', async () => {
  await using it = await rebuildWorld();
  it.domain.start();
  const { code, stdout, stderr } = await run(it);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = [
    'DSM VM (DSM): TinyCore RedPill 0.9.2.9 for DS918+, DSM 7.1.1-42962.',
    '',
    `  Image           ${it.image}, 4 MiB`,
    '  Built           yes',
    '  Serial number   yes',
    '  MACs            1',
    '  Disk maps       SataPortMap 1, DiskIdxMap 10',
    '  Boot menu       starts Tiny Core Friend',
    '                  RedPill DS918+ v7.1.1-42962 (USB, Verbose)',
    '                  RedPill DS918+ v7.1.1-42962 (SATA, Verbose)',
    '                  Tiny Core Image Build',
    '  DSM versions    7.0.1-42218-JUN, 7.0.1-42218, 7.1.0-42661, 7.1.1-42962',
    '',
    "The VM's hardware fits DS918+, the configured model, as far as is known.",
    '',
    'A rebuild is possible, for DS918+ 7.1.1-42962: `dsm2mqtt rebuild DSM --dry-run` shows the plan.',
    '',
  ];
  expect(stdout).toBe(lines.join('\n'));
  expect(it.domain).toMatchObject({ active: true, presses: 0 });
  expect(await readdir(join(it.folder, 'data'))).toEqual([]);
  expect(it.daemon.storage.pools).toEqual([]);
});

test('RR: an environment block of another size, what waits, where its list is', async () => {
  await using it = await rebuildWorld();
  const { code, stdout } = await run(it, { image: 'facts-rr' });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^DSM VM \(DSM\): RR for SA6400, DSM 7\.2\.\n/);
  expect(stdout).toContain('Built           no, it waits for a build\n');
  expect(stdout).toContain('starts Boot DSM\n                  Recovery\n');
  expect(stdout).toContain(
    "Environment     1042 bytes instead of GRUB's 1024; the next change of the menu repairs it\n",
  );
  expect(stdout).toContain('Disk maps       none\n');
  expect(stdout).toContain('Boot wait       10 s');
  expect(stdout).toContain('DSM versions    RR has its list on the third partition');
});

test.for([
  ['arc-3.1.0', /^DSM VM \(DSM\): Arc 3\.1\.0 for DS920\+, DSM 7\.2\.2-72806\.\n/, /Arc has no commands for a build/],
  ['mshell-1.2.3.8', /M-shell 1\.2\.3\.8 for SA6400, DSM 7\.2\.2-72806\.\n/, /M-shell itself refuses DS918\+/],
  ['mshell-1.4.5', /M-shell\.\n/, /Built {11}no, it waits for a build\n.*The bridge does not build M-shell/s],
  ['arpl-1.1-beta2a', /ARPL 1\.1-beta2a for DS918\+, DSM 42962\.\n/, /RR, its successor/],
  ['unknown', /an unknown loader\.\n/, /starts Debian GNU\/Linux\n.*does not know the loader in this image/s],
] as const)('%s: told, and a rebuild refused with the reason', async ([image, first, why]) => {
  await using it = await rebuildWorld();
  const { code, stdout } = await run(it, { image });
  expect(code).toBe(0);
  expect(stdout).toMatch(first);
  expect(stdout).toMatch(why);
  expect(stdout).toContain('A rebuild is refused.\n');
});

test('the hardware for the configured model, and a rebuild that is refused', async () => {
  await using it = await rebuildWorld(xml => xml.replace(/<vcpu([^>]*)>\d+</, '<vcpu$1>64<'));
  const { code, stdout } = await run(it);
  expect(code).toBe(0);
  expect(stdout).toContain('  The VM has 64 vCPUs, and DS918+ uses 8 at most.\n  → Give the VM 8 vCPUs or fewer.\n');
  expect(stdout).toContain('A rebuild is refused.\n');
});

test('in JSON, without a serial number or a MAC, whatever the image is', async () => {
  await using it = await rebuildWorld();
  for (const image of images) {
    const { code, stdout } = await run(it, { image, options: { json: true } });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ id: 'DSM', name: 'DSM VM', image: { path: it.image }, trouble: null },
      loader: { kind: expect.any(String), serial_number: expect.toBeOneOf([true, false, null]) },
      ...{ boot: { entries: expect.any(Array) }, hardware: { model: 'DS918+' }, rebuild: { model: 'DS918+' } },
    });
    expect(stdout).not.toMatch(/0000[A-Z]{3}\d|1234[A-Z]{3}\d|001132/);
  }
});

test('1 when the image cannot be read, and why', async () => {
  await using it = await rebuildWorld();
  const menu = async () => {
    throw new ImageError('no_grub', 'the boot partition has no grub.cfg');
  };
  const { code, stdout } = await run(it, { options: { world: { menu } } });
  expect(code).toBe(1);
  expect(stdout).toMatch(/its loader is not known\.\n.*cannot be used\. The boot partition has no grub\.cfg/s);
});

test('2 without a loader, or such a VM', async () => {
  await using it = await rebuildWorld();
  expect(await run(it, { settings: null })).toMatchObject({ code: 2, stderr: expect.stringContaining('no') });
  expect(await run(it, { options: { vm: 'nobody' } })).toMatchObject({ code: 2 });
});

test('3 without libvirt', async () => {
  await using it = await rebuildWorld();
  await it.daemon.stop();
  expect(await run(it)).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('no libvirt socket') });
});

test('1 when it is interrupted', async () => {
  await using it = await rebuildWorld();
  const controller = new AbortController();
  const menu: World['menu'] = async (_image, _files, { signal }) => {
    controller.abort();
    signal.throwIfAborted();
    return (await imageOf('unknown')).partition;
  };
  const call = run(it, { options: { signal: controller.signal, world: { menu } } });
  expect(await call).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('interrupted') });
});
