/** `doctor` beside a real libvirtd: `scripts/lab [--release forky] vitest run --project lab test/cli/doctor`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { doctor } from '../../src/cli/doctor/doctor.ts';
import type { Config } from '../../src/config/config.ts';
import type { Finding } from '../../src/model/doctor.ts';
import { vmConfig } from '../bridge/running.ts';
import { address, inLab, virsh } from '../lab/lab.ts';
import { captured } from './output.ts';

beforeAll(() => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
});

/** As somebody writes it: libvirt fills in the rest. */
const written = (folder: string, graphics: string) => `<domain type='qemu'><name>patient</name>
  <uuid>a0000000-0000-4000-8000-0000000000d0</uuid>
  <memory unit='GiB'>1</memory><vcpu>2</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <on_reboot>destroy</on_reboot>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw' cache='unsafe'/>
      <source file='${folder}/dsm.img'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='${folder}/loader.img'/><target dev='sdz' bus='usb'/><boot order='1'/></disk>
    <controller type='usb' model='ich9-ehci1'/>
    <interface type='bridge'><source bridge='br0'/><model type='e1000e'/></interface>
    <graphics type='vnc' listen='0.0.0.0'${graphics}/>
  </devices></domain>`;

test('what libvirt makes of a definition is read as it was meant; passwords are seen, and nothing is changed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'));
  await using _ = {
    [Symbol.asyncDispose]: async () => {
      await virsh('undefine', 'patient').catch(() => {});
      await rm(folder, { recursive: true });
    },
  };
  const uri = `qemu+unix:///system?socket=${address.socket}`;
  const vms = [vmConfig({ domain: 'patient', key: 'patient' })];
  const examine = async (graphics: string) => {
    await writeFile(join(folder, 'dsm.xml'), written(folder, graphics));
    await virsh('define', join(folder, 'dsm.xml'));
    const before = await virsh('dumpxml', '--security-info', 'patient');
    const config = { hosts: [{ name: null, uri, readOnly: false }], vms, dataDir: folder } as unknown as Config;
    const call = { config, vm: undefined, json: true, signal: new AbortController().signal };
    const { code, stdout, stderr } = await captured(streams => doctor({ ...call, ...streams }));
    expect(stderr).toBe('');
    expect(await virsh('dumpxml', '--security-info', 'patient')).toBe(before);
    const [row] = JSON.parse(stdout) as { local: boolean; findings: Finding[] }[];
    return { code, local: row?.local, codes: row?.findings.map(each => each.code) };
  };
  const found = ['no_acpi', 'tcg', 'power_action', 'cache_unsafe', 'virtio_blk', 'usb2_loader', 'nic_model'];
  const open = await examine('');
  expect(open).toMatchObject({ code: 1, codes: expect.arrayContaining([...found, 'open_graphics', 'no_autostart']) });
  const guarded = await examine(" passwd='secret'");
  expect(guarded.codes).toEqual(expect.arrayContaining(found));
  expect(guarded.codes).not.toContain('open_graphics');
});
