/** Two real libvirtds under one bridge: one that hangs takes nothing from the other, and a domain may move. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { address, inLab, libvirtd, type Mosquitto, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { reachable } from '../lab/processes.ts';
import { type BridgeProcess, isFinal, Listener, startBridge, usual, vmTopic } from './bridge.ts';

/** A second libvirtd of this machine, whose folders are its own: as if it were another host's. */
class SecondHost implements AsyncDisposable {
  readonly folder: string;
  readonly #child: ChildProcess;

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder;
    this.#child = child;
  }

  static async start(): Promise<SecondHost> {
    const folder = await mkdtemp(join(tmpdir(), 'second-host-'));
    const own = { run: '/run/libvirt', lib: '/var/lib/libvirt', etc: '/etc/libvirt', cache: '/var/cache/libvirt' };
    for (const name of Object.keys(own)) await mkdir(join(folder, name));
    const mounts = Object.entries(own).map(
      ([name, place]) => `mkdir -p ${place} && mount --bind ${folder}/${name} ${place}`,
    );
    const daemon = `exec libvirtd -p ${folder}/pid`;
    const script = [...mounts, daemon].join('\n');
    await writeFile(
      join(folder, 'etc', 'libvirtd.conf'),
      'unix_sock_group = "root"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\nhost_uuid = "00000000-0000-4000-8000-00000000002b"\n',
    );
    await writeFile(
      join(folder, 'etc', 'qemu.conf'),
      'user = "root"\ngroup = "root"\nsecurity_driver = "none"\ncgroup_controllers = [ ]\nremember_owner = 0\nstdio_handler = "file"\n',
    );
    const child = spawn('unshare', ['--mount', '--propagation', 'private', 'bash', '-ec', script], {
      stdio: 'ignore',
    });
    const host = new SecondHost(folder, child);
    await poll(() => reachable({ path: join(folder, 'run', 'libvirt-sock') }), { what: 'the second libvirtd' });
    return host;
  }

  get uri(): string {
    return `qemu+unix:///system?socket=${join(this.folder, 'run', 'libvirt-sock')}`;
  }

  virsh(...args: string[]): Promise<string> {
    return virsh('-c', this.uri, ...args);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGCONT');
    for (const name of (await this.virsh('list', '--name').catch(() => '')).split('\n').filter(Boolean)) {
      await this.virsh('destroy', name).catch(() => {});
    }
    const ended = once(this.#child, 'exit');
    this.signal('SIGTERM');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

const uuid = '6f000000-0000-4000-8000-0000000000aa';
/** A guest that does nothing: it has no disk to start from. */
const xml = (
  name: string,
  id: string,
) => `<domain type='qemu'><name>${name}</name><uuid>${id}</uuid><memory unit='MiB'>32</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features></domain>`;

let broker: Mosquitto;
let listener: Listener;
let second: SecondHost;
let bridge: BridgeProcess;

async function define(on: (...args: string[]) => Promise<string>, name: string, id: string): Promise<void> {
  const file = join(second.folder, `${name}.xml`);
  await writeFile(file, xml(name, id));
  await on('define', file);
}

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await libvirtd.start();
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
  second = await SecondHost.start();
  await define(virsh, 'here', '6f000000-0000-4000-8000-000000000001');
  await define(second.virsh.bind(second), 'there', '6f000000-0000-4000-8000-000000000002');
  await define(virsh, 'roamer', uuid);
  const checks = { schedule: 'never', deep_schedule: 'never' };
  const commands = ['start', 'force_off'];
  bridge = await startBridge({
    ...usual(broker.url, {}),
    libvirt: [
      { name: 'one', uri: `qemu+unix:///system?socket=${address.socket}`, stats_interval: '1s' },
      { name: 'two', uri: second.uri, stats_interval: '1s' },
    ],
    vms: [
      { domain: 'here', on: 'one', commands, checks },
      { domain: 'there', on: 'two', commands, checks },
      { domain: uuid, id: 'roamer', commands, checks },
    ],
  });
  for (const key of ['here', 'there', 'roamer'])
    await listener.text(vmTopic('availability', key), text => text === 'online');
});

afterAll(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await second?.[Symbol.asyncDispose]();
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (!inLab()) return;
  for (const name of ['here', 'roamer']) {
    await virsh('destroy', name).catch(() => {});
    await virsh('undefine', name).catch(() => {});
  }
});

async function command(key: string, word: string): Promise<string> {
  const from = listener.now;
  await listener.publish(vmTopic('command', key), JSON.stringify({ command: word, id: randomUUID() }));
  const response = await listener.document(vmTopic('response', key), isFinal, { from });
  return response.status;
}

test('each host is a device with its load', async () => {
  for (const name of ['one', 'two']) {
    const topic = `dsm2mqtt/host/${name}`;
    await listener.text(`${topic}/availability`, text => text === 'online');
    const document = await listener.document(`${topic}/state`, ({ cpu }) => cpu !== null);
    expect(document.memory.total).toBeGreaterThan(2 ** 30);
  }
});

test('a libvirtd that hangs for long takes nothing from the other host', async () => {
  expect(await command('there', 'start')).toBe('succeeded');
  second.signal('SIGSTOP');
  // Ten polls a second each, and a command in each direction: at the other host all goes on.
  const from = listener.now;
  for (const word of ['start', 'force_off', 'start', 'force_off'])
    expect(await command('here', word)).toBe('succeeded');
  await listener.text(vmTopic('availability', 'there'), text => text === 'offline', { from });
  expect(listener.texts(vmTopic('availability', 'here'), from)).toEqual([]);
  second.signal('SIGCONT');
  await listener.text(vmTopic('availability', 'there'), text => text === 'online', { from });
});

test('a domain that goes from one to the other keeps its device, and has not stopped', async () => {
  expect(await command('roamer', 'start')).toBe('succeeded');
  const from = listener.now;
  await define(second.virsh.bind(second), 'roamer', uuid);
  await second.virsh('start', 'roamer');
  await virsh('destroy', 'roamer');
  await virsh('undefine', 'roamer');
  await listener.document(
    vmTopic('event', 'roamer'),
    ({ event_type, reason }) => {
      return event_type === 'migrated' && reason === 'from one to two';
    },
    { from },
  );
  expect(await command('roamer', 'force_off')).toBe('succeeded');
  expect(await second.virsh('domstate', 'roamer')).toBe('shut off');
  const devices = listener.heard.filter(
    ({ topic }) => topic.startsWith('homeassistant/device/') && topic.includes(uuid),
  );
  expect(new Set(devices.map(({ topic }) => topic)).size).toBe(1);
  expect(devices.at(-1)?.text).toContain('dsm2mqtt_host_e2e_two');
  expect(devices.map(({ text }) => text)).not.toContain('');
});
