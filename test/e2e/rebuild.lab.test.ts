/** A loader rebuilt on a real guest: GRUB, its builder's stand-in over SSH, libvirt's volumes; and a bridge killed in it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { address, domainState, guest, inLab, type Mosquitto, startMosquitto } from '../lab/lab.ts';
import { rr } from '../lab/loader/rr.ts';
import { entries, loader } from '../lab/loader.ts';
import { extension, platform } from '../lab/rploader.ts';
import { type BridgeProcess, isFinal, type Json, Listener, startBridge, usual, vmTopic } from './bridge.ts';

const phases = [
  ...['preflight', 'shutting_down', 'backing_up', 'arming_builder', 'booting_builder', 'connecting', 'arming_dsm'],
  ...['building', 'verifying', 'booting_dsm', 'checking', 'done'],
];

interface Kind {
  name: string;
  /** Of `vms[].loader`: for the DSM that is installed. */
  settings: Record<string, unknown>;
  /** Another DSM. */
  other: string;
  phases: readonly string[];
  bootEntry: string;
  /** Puts its image into the VM, which is off; the end puts the one back that was there. */
  insert(): Promise<AsyncDisposable>;
  /** What has come up. */
  booted(): Promise<string>;
  builder: string;
  /** Words that nobody may find outside of the guest. */
  passwords: readonly string[];
}

const tcrpKind: Kind = {
  name: 'TinyCore RedPill',
  settings: { model: 'DS918+', platform, extensions: [extension('virtio'), extension('acpid')] },
  ...{ other: 'ds918p-7.1.0-42661', phases, bootEntry: entries.dsm, builder: 'builder', passwords: ['P@ssw0rd'] },
  insert: async () => {
    const kept = await loader.keep();
    await loader.arm('dsm');
    return kept;
  },
  booted: () => loader.booted(),
};
const rrKind: Kind = {
  name: 'RR',
  settings: { model: 'DS918+', platform: '7.1.1-42962' },
  ...{ other: 'ds918p-7.2.2-72806', phases: phases.filter(phase => phase !== 'arming_dsm'), bootEntry: 'Boot DSM' },
  ...{ builder: 'rr', passwords: [] },
  insert: () => rr.insert(),
  booted: () => rr.booted(),
};
const topic = vmTopic('loader');
/** Of a rebuild, in milliseconds, on a machine that has other things to do. */
const whole = 900_000;

let broker: Mosquitto;
let listener: Listener;
let folder: string;
let bridge: BridgeProcess;
let from: number;
let original: AsyncDisposable;
let kind: Kind;

function config(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const vm = {
    ...{ domain: 'DSM', commands: ['start', 'shutdown', 'rebuild', 'rollback', 'cancel', 'check', 'refresh'] },
    shutdown: { timeout: '1m' },
    checks: { schedule: 'never', deep_schedule: 'never', failures_before_down: 1, probe_timeout: '3s' },
    loader: {
      ...{ transient_pool: true, keep_backups: 2 },
      ...{ ...kind.settings, ...changes },
    },
  };
  return usual(broker.url, { vms: [vm], data_dir: folder });
}

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
});

afterAll(async () => {
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rebuild-'));
});

afterEach(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await guest.off();
  await guest.bootScenario('up');
  await original[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** DSM runs, and a bridge that has seen it. */
async function begin(of: Kind, changes: Record<string, unknown> = {}): Promise<string> {
  kind = of;
  original = await kind.insert();
  await guest.start(whole);
  from = listener.now;
  bridge = await startBridge(config(changes));
  await listener.text(vmTopic('availability'), text => text === 'online', { from });
  await ask('check');
  from = listener.now;
  return imageSum();
}

async function ask(word: string, options: Record<string, unknown> = {}, deadline = whole): Promise<Json> {
  const id = await give(word, options);
  return listener.document(vmTopic('response'), answer => answer.id === id && isFinal(answer), { from, deadline });
}

async function give(word: string, options: Record<string, unknown> = {}): Promise<string> {
  const id = `${word}-${Math.random()}`;
  await listener.publish(vmTopic('command'), JSON.stringify({ command: word, id, ...options }));
  return id;
}

/** What the topic has shown from there on, each phase once. */
function shown(): string[] {
  const all: string[] = listener.documents(topic, from).map(({ phase }) => phase);
  return all.filter((phase, i) => phase !== 'idle' && phase !== all[i - 1]);
}

const document = (wanted: (document: Json) => boolean, deadline = whole) =>
  listener.document(topic, wanted, { from, deadline });

function sumOf(file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    createReadStream(file)
      .on('data', piece => hash.update(piece))
      .on('error', reject)
      .on('end', () => resolve(hash.digest('hex')));
  });
}

const imageSum = () => sumOf(loader.image);

/** Whatever the bridge has said or written down. */
async function everything(): Promise<string> {
  const kept = join(folder, 'loader');
  const files = (await readdir(kept, { withFileTypes: true })).filter(entry => entry.isFile());
  const texts = await Promise.all(files.map(({ name }) => readFile(join(kept, name), 'utf8')));
  const ours = listener.heard.slice(from).filter(message => message.topic.startsWith(topic));
  return [...texts, ...ours.map(({ text }) => text)].join('\n');
}

test.each([tcrpKind, rrKind])(
  '$name: one command takes DSM through the whole transaction, every phase seen in order, with the new loader in place',
  async it => {
    const before = await begin(it);
    const answer = await ask('rebuild', { confirm: true });
    expect(answer).toMatchObject({ status: 'succeeded', code: 'done' });
    expect(shown()).toEqual(it.phases);
    const told = listener.documents(vmTopic('event'), from).filter(({ event_type }) => event_type === 'loader_phase');
    expect(told.map(({ phase }) => phase)).toEqual(it.phases);
    const last = await document(({ result }) => result !== null);
    expect(last).toMatchObject({ result: 'succeeded', rollback: false, boot_entry: it.bootEntry });
    expect(await sumOf(last.backup.file)).toBe(before);
    expect(await it.booted()).toBe('dsm');
    expect(await loader.cmdline()).toMatchObject({ loader_build: '1', SataPortMap: '12', DiskIdxMap: '1000' });
    const { sn, mac1 } = await loader.cmdline();
    expect(listener.texts(vmTopic('loader/log'), from).length).toBeGreaterThan(20);
    const said = await everything();
    for (const secret of [sn, mac1, '52:54:00:d5:30:01', ...it.passwords]) expect(said).not.toContain(secret);
  },
  whole,
);

test.each([tcrpKind, rrKind])(
  '$name: another DSM: the installer is next, and until then the old loader can be had back',
  async it => {
    const before = await begin(it, { platform: it.other });
    const off = document(({ phase }) => phase === 'backing_up').then(() => guest.bootScenario('installer'));
    expect(await ask('rebuild', { confirm: true })).toMatchObject({
      status: 'succeeded',
      code: 'awaiting_dsm_install',
    });
    await off;
    expect(await document(({ result }) => result !== null)).toMatchObject({
      result: 'awaiting_dsm_install',
      rollback: true,
    });
    expect(await loader.cmdline()).toMatchObject({ loader_build: '1' });
    from = listener.now;
    expect(await ask('rollback', { confirm: true })).toMatchObject({ status: 'succeeded', code: 'done' });
    // The end of its confirmation may be told before.
    expect(shown().filter(phase => phase !== 'done')).toEqual(['preflight', 'rolling_back', 'rolled_back']);
    expect(await document(({ phase }) => phase === 'rolled_back')).toMatchObject({ rollback: false });
    expect(await loader.cmdline()).toMatchObject({ loader_build: '0' });
    await guest.off();
    // GRUB has written down what it has started, which was so before, too; RR mounts its disk at each start.
    if (it === tcrpKind) expect(await imageSum()).toBe(before);
  },
  whole,
);

describe('killed with -9, and started again', () => {
  /** In this phase; resolves to what the next bridge tells. */
  async function killedIn(phase: string): Promise<Json> {
    await give('rebuild', { confirm: true });
    await document(document => document.phase === phase);
    const written = async () => JSON.parse(await readFile(join(folder, 'loader', 'DSM.json'), 'utf8'));
    // That a build changes the image is written down a moment after its phase is told.
    if (phase === 'building') await eventually(async () => expect((await written()).touched).toBe('building'));
    await bridge.end('SIGKILL');
    const record = await written();
    expect(record).toMatchObject({ phase, result: null });
    from = listener.now;
    bridge = await startBridge(config());
    await listener.document(vmTopic('event'), ({ event_type }) => event_type === 'interrupted', { from });
    const told = await document(({ result, error }) => result === 'interrupted' && !error.includes('not known'));
    expect(told).toMatchObject({ phase: 'interrupted', code: 'interrupted' });
    expect(told.error).toContain(`in the phase ${phase} of a rebuild`);
    return told;
  }

  test(
    'in backing_up: the VM is off, its loader untouched, and a start brings DSM back',
    async () => {
      const before = await begin(tcrpKind);
      const told = await killedIn('backing_up');
      expect(told).toMatchObject({ rollback: false });
      expect(told.error).toContain('The VM is off; its loader is untouched.');
      expect(await domainState()).toBe('shut off');
      expect(await imageSum()).toBe(before);
      expect(await ask('start')).toMatchObject({ status: 'succeeded' });
      expect(await loader.booted()).toBe('dsm');
    },
    whole,
  );

  const halfBuilt = 'its image builder and not DSM, by all that is known; its loader may be half built';
  test.each([
    { it: tcrpKind, phase: 'building', says: halfBuilt },
    { it: rrKind, phase: 'building', says: halfBuilt },
    { it: tcrpKind, phase: 'booting_dsm', says: 'its new loader is in place' },
  ])(
    '$it.name, in $phase: told, and a rollback brings the old loader back',
    async ({ it, phase, says }) => {
      const before = await begin(it);
      const told = await killedIn(phase);
      expect(told).toMatchObject({ rollback: true });
      expect(told.error).toContain(says);
      if (phase === 'building') expect(await it.booted()).toBe(it.builder);
      const disk = join(address.images, 'sdb.img');
      // It is looked at before anything starts from it.
      await rename(disk, `${disk}.away`);
      const { code, message } = await ask('rollback', { confirm: true }).finally(() => rename(`${disk}.away`, disk));
      expect({ code, message }).toEqual({
        code: 'rollback_failed',
        message: expect.stringContaining('loader is back'),
      });
      expect(await imageSum()).toBe(before);
      expect(await ask('start')).toMatchObject({ status: 'succeeded' });
      await guest.up(whole);
      expect(await loader.cmdline()).toMatchObject({ loader_build: '0' });
    },
    whole,
  );
});
