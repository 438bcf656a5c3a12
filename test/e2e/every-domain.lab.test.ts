/** `vms: all` on a real libvirtd: a domain is defined, is there, and is gone. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expanded } from '../discovery/expanded.ts';
import { address, inLab, libvirtd, type Mosquitto, startMosquitto, virsh } from '../lab/lab.ts';
import { type BridgeProcess, Listener, runCli, startBridge, usual } from './bridge.ts';

const uuid = '6f000000-0000-4000-8000-0000000000e1';
/** It has no disk to start from. */
const xml = `<domain type='qemu'><name>every one</name><uuid>${uuid}</uuid><memory unit='MiB'>32</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features></domain>`;

let folder: string;
let broker: Mosquitto;
let listener: Listener;
let bridge: BridgeProcess;
let config: Record<string, unknown>;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await libvirtd.start();
  folder = await mkdtemp(join(tmpdir(), 'every-'));
  await writeFile(join(folder, 'every.xml'), xml);
  await virsh('undefine', uuid).catch(() => {});
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
  config = usual(broker.url, { vms: 'all', data_dir: join(folder, 'data') });
  bridge = await startBridge(config);
  await listener.text('dsm2mqtt/DSM/availability', text => text === 'online');
});

afterAll(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (!inLab()) return;
  await virsh('undefine', uuid).catch(() => {});
  await rm(folder, { recursive: true });
});

test('what is there is there, without a button', async () => {
  const payload = await listener.text(`homeassistant/device/dsm2mqtt_${address.uuid}/config`, text => text !== '');
  const { device, components } = expanded(payload);
  expect(device).toMatchObject({ name: 'DSM', model: 'Virtual machine' });
  expect(Object.values(components).filter(one => 'command_topic' in one)).toEqual([]);
  const from = listener.now;
  await listener.publish('dsm2mqtt/DSM/command', 'start');
  const refused = await listener.document('dsm2mqtt/DSM/response', () => true, { from });
  expect(refused).toMatchObject({ status: 'rejected', code: 'not_allowed' });
});

test('one is defined: it is there; undefined: it is unavailable, and its key is as it was', async () => {
  await virsh('define', join(folder, 'every.xml'));
  await listener.text('dsm2mqtt/every_one/availability', text => text === 'online');
  await virsh('domrename', 'every one', 'another');
  await listener.document('dsm2mqtt/every_one/state', ({ domain }) => domain === 'another');
  const { code, stdout } = await runCli(config, 'status', '--json');
  const ids = (JSON.parse(stdout) as { id: string; name: string }[]).map(({ id, name }) => [id, name]);
  expect({ code, ids }).toEqual({
    code: 0,
    ids: expect.arrayContaining([
      ['DSM', 'DSM'],
      ['every_one', 'another'],
    ]),
  });
  const from = listener.now;
  await virsh('undefine', uuid);
  await listener.text('dsm2mqtt/every_one/availability', text => text === 'offline', { from });
  expect(bridge.log.filter(({ event }) => event === 'bridge.renewed')).toHaveLength(1);
});
