/** A bridge without rights of its own: with the rules that `polkit` makes, libvirt itself refuses what is not listed. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { tinyXml } from '../contract/tiny-xml.ts';
import { address, domainState, guest, inLab, type Mosquitto, startMosquitto, virsh } from '../lab/lab.ts';
import {
  accessControl,
  as,
  asOwner,
  configureLibvirtd,
  dialAs,
  type Polkit,
  startPolkit,
  userOf,
} from '../lab/polkit.ts';
import {
  type CliResult,
  executable,
  isFinal,
  Listener,
  runCli,
  runCliAs,
  startBridge,
  usual,
  vmTopic,
} from './bridge.ts';
import { polkits } from './unprivileged.ts';

const uri = `qemu+unix:///system?socket=${address.socket}`;
const other = '/tmp/other.xml';
const otherUuid = '11111111-0f0b-4a9e-867b-364706339405';
const image = `${address.images}/loader.img`;
const commands = ['start', 'shutdown', 'force_off', 'screenshot', 'check'];
const vms = (listed: readonly string[]) => [{ domain: 'DSM', commands: listed, shutdown: { timeout: '1m' } }];
const withLoader = {
  ...{ domain: 'DSM', commands: ['rebuild'] },
  loader: { model: 'DS918+', platform: '7.1.1-42962', transient_pool: true },
};

const users = { bridge: 0, person: 0, stranger: 0 };
type User = keyof typeof users;
let broker: Mosquitto;
let polkit: Polkit;
const undo = new AsyncDisposableStack();

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  users.bridge = userOf('bridge');
  users.person = userOf('person', 'libvirt');
  users.stranger = userOf('stranger');
  broker = undo.use(await startMosquitto());
  await virsh('define', await file('other', tinyXml('qemu', 'other', otherUuid)));
  undo.defer(async () => void (await virsh('undefine', 'other')));
  const running = polkits.get(null);
  polkit = running ?? (await startPolkit());
  if (!running) {
    undo.use(await configureLibvirtd(accessControl));
    // It ends first: a libvirtd that is just starting does not survive the end of D-Bus.
    undo.use(polkit);
  }
  await rulesOf({ vms: vms(commands) });
});

afterAll(() => undo.disposeAsync());

/** Has polkit go by what the product makes of this configuration. */
async function rulesOf(more: Record<string, unknown>, ...options: string[]): Promise<void> {
  const rules = await runCli(configOf(more), 'polkit', '--user', 'bridge', '--group', 'libvirt', ...options);
  expect(rules).toMatchObject({ code: 0, stderr: '' });
  await polkit.rules('40-dsm2mqtt.rules', rules.stdout);
}

function configOf(more: Record<string, unknown>): Record<string, unknown> {
  return usual(broker.url, { libvirt: { uri, stats_interval: '1s' }, ...more });
}

/** `dsm2mqtt` as this user, whose files its configuration becomes. */
const productAs = (user: User) => [...asOwner(user), process.execPath, executable];

/** `virsh` as this user: what it says if libvirt refuses, else null. */
async function virshAs(user: User, ...args: string[]): Promise<string | null> {
  const [program = '', ...rest] = [...as(user), 'virsh', '-c', uri, ...args];
  return promisify(execFile)(program, rest).then(
    () => null,
    error => String(error.stderr),
  );
}

function clientOf(user: User): Promise<Libvirt> {
  return Libvirt.open({ uri: parseUri(uri), dial: dialAs(users[user]) });
}

const denied = expect.stringContaining('access denied');

describe('what is not listed is refused by libvirt', () => {
  test.each([
    'undefine DSM',
    'define /tmp/other.xml',
    'create /tmp/other.xml',
    'reset DSM',
    'reboot DSM --mode agent',
    'shutdown DSM --mode agent',
    'autostart DSM',
    'setmem DSM 1G --config',
    'send-key DSM KEY_A',
    'dumpxml DSM --security-info',
    'attach-disk DSM /etc/shadow sdx',
    'qemu-monitor-command DSM --hmp info',
    'start other',
    'shutdown other',
    'destroy other',
    'screenshot other /dev/null',
    'pool-create-as own dir --target /etc',
  ])('%s', async line => {
    expect(await virshAs('bridge', ...line.split(' '))).toEqual(denied);
  });
});

test('others: an admitted group may do all, and without it nobody', async () => {
  expect(await virshAs('person', 'autostart', 'other', '--disable')).toBeNull();
  expect(await virshAs('stranger', 'list')).toEqual(expect.stringMatching(/authentication/));
});

describe('check-config --rights', () => {
  test('off: all that can be asked is there, and who may do more is told', async () => {
    const asked = await rightsAs('bridge', { vms: vms(commands) });
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(answers(asked)).toMatchObject({
      'domain.init-control': 'ok',
      'domain.stop': 'ok',
      'domain.screenshot': 'ok',
      'domain.start': 'not asked',
    });
    expect(asked.stdout).not.toContain('may also change');
    expect((await rightsAs('person', { vms: vms(commands) })).stdout).toContain('may also change');
    expect(await domainState()).toBe('shut off');
  });

  test('what is missing, and for what: 1', async () => {
    const more = { vms: [{ ...vms([...commands, 'reset', 'autostart'])[0], console: 'boots' }] };
    const asked = await rightsAs('bridge', more);
    expect(asked.code).toBe(1);
    expect(asked.stdout).toMatch(/DSM +domain\.reset +MISSING +for reset\n/);
    expect(answers(asked)).toMatchObject({
      'domain.open-device': 'MISSING',
      'domain.write': 'MISSING',
      'domain.stop': 'ok',
    });
    expect(await virsh('dominfo', address.domain)).toMatch(/Autostart: +disable/);
  });
});

describe('a loader’s image', () => {
  beforeAll(() => rulesOf({ vms: [withLoader] }));

  test('in a pool of the bridge’s own it is read and written, and nothing else of that folder', async () => {
    await using client = await clientOf('bridge');
    const { storage } = client;
    const own = `<pool type='dir'><name>dsm2mqtt-${address.uuid}</name><target><path>${address.images}</path></target></pool>`;
    const pool = await storage.createPool(own);
    try {
      const volume = await storage.volumeByPath(image);
      const bytes = await storage.download(volume, { offset: 0, length: 512 });
      await storage.upload(volume, { offset: 0, length: 512 }, [bytes]);
      expect(await rightsAs('bridge', { vms: [withLoader] })).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/data-write +ok +for rebuild/),
      });
      const disk = await storage.volumeByPath(`${address.images}/sda.img`);
      await expect(storage.download(disk, { offset: 0, length: 512 })).rejects.toMatchObject({ code: 88 });
      await expect(storage.upload(disk, { offset: 0, length: 512 }, [bytes])).rejects.toMatchObject({ code: 88 });
      await expect(storage.deleteVolume(volume)).rejects.toMatchObject({ code: 88 });
    } finally {
      await storage.destroyPool(pool);
    }
    await expect(storage.createPool(own.replace('dsm2mqtt-', ''))).rejects.toMatchObject({ code: 88 });
  });
});

test('a NIC on one of libvirt’s networks may be plugged in and out', async () => {
  const network = "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>";
  await using lan = new AsyncDisposableStack();
  await virsh('net-create', await file('lan', network));
  lan.defer(async () => void (await virsh('net-destroy', 'lan')));
  const nic = "<devices><interface type='network'><source network='lan'/></interface></devices></domain>";
  const xml = tinyXml('qemu', 'plugged', '22222222-0f0b-4a9e-867b-364706339405').replace('</domain>', nic);
  await virsh('define', await file('plugged', xml));
  lan.defer(async () => void (await virsh('undefine', 'plugged')));
  await rulesOf({ vms: [{ domain: 'plugged', commands: ['start', 'force_off'] }] });
  expect(await virshAs('bridge', 'start', 'plugged')).toBeNull();
  expect(await virshAs('bridge', 'destroy', 'plugged')).toBeNull();
});

test('defining is for who has asked for it', async () => {
  const own = await file('own', await virsh('dumpxml', '--inactive', address.domain));
  const define = () => virshAs('bridge', 'define', own);
  await rulesOf({ vms: vms(commands) });
  expect(await define()).toEqual(denied);
  await rulesOf({ vms: vms(commands) }, '--define');
  expect(await define()).toBeNull();
  expect(await virshAs('bridge', 'define', other)).toEqual(denied);
  await rulesOf({ vms: vms(commands) });
});

test('a bridge does all that is listed', async () => {
  await using listener = await Listener.on(broker.url);
  await using bridge = await startBridge(configOf({ vms: vms(commands) }), productAs('bridge'));
  const send = async (command: string) => {
    const from = listener.now;
    await listener.publish(vmTopic('command'), command);
    return listener.document(vmTopic('response'), document => isFinal(document) && document.command === command, {
      from,
    });
  };
  await listener.document(vmTopic('state'), ({ state }) => state === 'shut_off');
  expect(await send('start')).toMatchObject({ status: 'succeeded' });
  const asked = await rightsAs('bridge', { vms: vms(commands) });
  expect(answers(asked)).toMatchObject({
    'domain.start': 'ok',
    'domain.stop': 'not asked',
    'domain.screenshot': 'ok',
  });
  await guest.up();
  await listener.document(vmTopic('stats'), ({ cpu }) => cpu.percent !== null);
  expect(await send('screenshot')).toMatchObject({ status: 'succeeded' });
  expect(await send('reset')).toMatchObject({ status: 'rejected', code: 'not_allowed' });
  expect(await send('check')).toMatchObject({ status: 'succeeded' });
  await listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up');
  await rulesOf({ vms: vms(['screenshot']) });
  expect(await send('shutdown')).toMatchObject({ status: 'failed', message: expect.stringContaining('access denied') });
  await rulesOf({ vms: vms(commands) });
  expect(await send('shutdown')).toMatchObject({ status: 'succeeded' });
  // The bridge itself would let it rest first.
  const from = listener.now;
  await virsh('start', address.domain);
  await listener.document(vmTopic('state'), ({ state }) => state === 'running', { from });
  expect(await send('force_off')).toMatchObject({ status: 'succeeded' });
  expect(bridge.log.filter(({ event }) => event === 'domain.read_refused')).toEqual([]);
});

/** `check-config --rights` of this configuration as this user. */
async function rightsAs(user: User, more: Record<string, unknown>): Promise<CliResult> {
  return runCliAs(productAs(user), configOf(more), 'check-config', '--rights');
}

/** Each permission's word, by its name. */
function answers({ stdout }: CliResult): Record<string, string> {
  const rows = stdout.matchAll(/^ +DSM +(\S+) +(.*?) +for /gm);
  return Object.fromEntries([...rows].map(([, permission = '', word = '']) => [permission, word]));
}

/** Writes it for virsh to read. */
async function file(name: string, text: string): Promise<string> {
  const path = `/tmp/${name}.xml`;
  await writeFile(path, text);
  return path;
}
