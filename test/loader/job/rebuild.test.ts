/** A rebuild in the whole bridge, on a machine in this process: what it says and does when all goes well, or is ended. */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isLine, readRecord } from '../../../src/bridge/history.ts';
import { type RunningPhase, rebuildPhases } from '../../../src/loader/job/phases.ts';
import { state, vmConfig } from '../../bridge/running.ts';
import { eventually } from '../../eventually.ts';
import { makeLoaderImage, savedHome, titles, withPartition } from '../../fakes/box/image.ts';
import { temporary } from '../image/images.ts';
import { impatient } from './loader-tuning.ts';
import { entries, isTried, kinds, LoaderWorld, sumOf } from './loader-world.ts';

/** Each once, as the topic has shown them. */
function phasesOf(world: LoaderWorld): string[] {
  const all = world.documents.map(({ phase }) => phase);
  return all.filter((phase, i) => phase !== 'idle' && phase !== all[i - 1]);
}

function events(world: LoaderWorld, type: string): Record<string, unknown>[] {
  const seen = world.seen.seen.all.filter(({ topic }) => topic === 'b/DSM/event');
  return seen.map(({ payload }) => JSON.parse(payload)).filter(({ event_type }) => event_type === type);
}

/** Another DSM than the one of the image. */
const other = { tcrp: '7.1.0-42661', rr: '7.2.1-69057' };

describe.each(kinds)('a rebuild of %s', kind => {
  test.concurrent('goes through all phases in their order, and the new loader is in place', async () => {
    await using world = await LoaderWorld.start({ kind });
    const { dsm, builder } = world.entries;
    const { answer, loader } = await world.ask('rebuild', { by: 'dad' });
    expect(answer).toMatchObject({ status: 'succeeded', code: 'done' });
    const line = { what: 'rebuild', result: 'succeeded', code: null, seconds: expect.any(Number), by: 'dad' };
    await eventually(async () => {
      const { lines } = await readRecord(world.running.folder, 'DSM');
      expect(lines.filter(each => isLine(each) && 'result' in each)).toMatchObject([line]);
    });
    // RR's menu starts DSM again by itself.
    const all = [...rebuildPhases.filter(phase => kind === 'tcrp' || phase !== 'arming_dsm'), 'done'];
    expect(phasesOf(world)).toEqual(all);
    expect(events(world, 'loader_phase').map(({ phase }) => phase)).toEqual(all);
    expect(loader).toMatchObject({ result: 'succeeded', rollback: false, boot_entry: dsm, under_way: false });
    const percents = world.documents.flatMap(({ percent }) => percent ?? []);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(percents.at(-1)).toBeGreaterThan(80);
    expect(world.machine.booted).toEqual([dsm, builder, dsm]);
    expect(world.machine.menu).toMatchObject({ build: 1, next: dsm });
    expect(await sumOf(loader.backup.file ?? '')).toBe(world.before);
    expect(await world.ask('rollback')).toMatchObject({ answer: { status: 'rejected', code: 'wrong_state' } });
  });

  test.concurrent('of another DSM awaits its installation, and offers the way back until DSM is up', async () => {
    let installed = false;
    await using world = await LoaderWorld.start({
      ...{ kind, loader: { platform: `ds918p-${other[kind]}` } },
      dsm: (_, build) => (build === 1 && !installed ? 'installer' : 'up'),
    });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'succeeded', code: 'awaiting_dsm_install' });
    expect(loader).toMatchObject({ phase: 'done', result: 'awaiting_dsm_install', rollback: true });
    expect(loader.next_step).toContain(`Install DSM ${other[kind]}`);
    installed = true;
    world.machine.domain.destroy();
    world.machine.domain.start();
    await world.machine.up();
    await world.ask('check');
    expect(await world.loader(({ result }) => result === 'succeeded')).toMatchObject({ rollback: false, error: null });
  });
});

test('with a menu that cannot be set, the builder is chosen by keys', async () => {
  await using folder = await temporary();
  const image = join(folder.folder, 'loader.img');
  await makeLoaderImage(image);
  withPartition(image, 1, fat => {
    const config = fat.read('boot/grub/grub.cfg')?.toString() ?? '';
    fat.write('boot/grub/grub.cfg', Buffer.from(`${config}\nset default="$somewhere_else"\n`));
  });
  await using world = await LoaderWorld.start({ image });
  world.machine.choose(titles.builder);
  const { answer } = await world.ask('rebuild');
  expect(answer).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(world.running.daemon.callsOf('domainSendKey').length).toBeGreaterThan(0);
  expect(world.machine.booted).toEqual([titles.usb, titles.builder, titles.usb]);
});

describe('the confirmation', () => {
  test.concurrent('is needed, serves once, and ends when something begins', async () => {
    await using world = await LoaderWorld.start();
    expect(await world.ask('rebuild', { confirm: false })).toMatchObject({
      answer: { status: 'rejected', code: 'not_armed' },
    });
    expect(await world.ask('arm', { enabled: true })).toMatchObject({
      answer: { status: 'succeeded' },
      loader: { armed: true, armed_until: expect.any(String) },
    });
    expect(await world.ask('rebuild', { confirm: false })).toMatchObject({
      answer: { status: 'succeeded' },
      loader: { armed: false },
    });
    expect(await world.ask('rebuild', { confirm: false })).toMatchObject({ answer: { code: 'not_armed' } });
  });

  test.concurrent('can be taken back', async () => {
    await using world = await LoaderWorld.start();
    await world.ask('arm', { enabled: true });
    expect(await world.ask('arm', { enabled: false })).toMatchObject({ loader: { armed: false, armed_until: null } });
    expect(await world.ask('rebuild', { confirm: false })).toMatchObject({ answer: { code: 'not_armed' } });
  });
});

test.concurrent('meanwhile only simple commands and its end are taken', async () => {
  await using world = await LoaderWorld.start({ faults: ['silence'] });
  const asked = world.ask('rebuild');
  await world.loader(({ step }) => step === 'Build the loader');
  for (const word of ['start', 'rebuild', 'rollback', 'reboot', 'force_off']) {
    expect((await world.ask(word)).answer, word).toMatchObject({ status: 'rejected', code: 'busy' });
  }
  for (const word of ['refresh', 'check', 'screenshot']) {
    expect((await world.ask(word)).answer, word).toMatchObject({ status: 'succeeded' });
  }
  const cancel = await world.ask('cancel');
  expect(cancel.answer).toMatchObject({ status: 'succeeded', code: 'done' });
  expect((await asked).answer).toMatchObject({ status: 'cancelled', code: 'cancelled' });
});

test.concurrent.each([
  ['while the loader is built', 'building', { faults: ['silence'] as const }, 'failed', titles.builder],
  ['while DSM is awaited', 'checking', { dsm: () => 'up' as const }, 'succeeded', null],
] as const)('a shutdown %s takes its place', async (_, phase, options, status, runs) => {
  let shut = false;
  await using world = await LoaderWorld.start({
    ...(phase === 'building' && { vm: { shutdown: { ...vmConfig().shutdown, timeout: 500 } } }),
    ...options,
    dsm: (_entry, build) => (phase === 'checking' && build === 1 ? 'booting' : 'up'),
  });
  const asked = world.ask('rebuild').finally(() => {
    shut = true;
  });
  await world.loader(document => document.phase === phase);
  if (phase === 'checking') await world.machine.up();
  const { answer } = await world.ask('shutdown', { by: 'ups' });
  expect(shut).toBe(true);
  expect((await asked).answer).toMatchObject({ status: 'cancelled' });
  // The image builder does not hear the power button.
  expect(answer).toMatchObject({ status, code: status === 'failed' ? 'timed_out' : 'done' });
  expect(world.machine.running).toBe(runs);
  await state(world.seen, ({ power, activity }) => power === (runs === null ? 'OFF' : 'ON') && activity === 'none');
  const { payload } = world.seen.seen.all.filter(({ topic }) => topic === 'b/DSM/check').at(-1) ?? { payload: '{}' };
  if (runs === null) expect(JSON.parse(payload)).toMatchObject({ problem: false, expected: 'off' });
});

test('a rebuild of a VM that is off, by a path of this machine', async () => {
  await using world = await LoaderWorld.start({ on: false, byPath: true });
  const { answer } = await world.ask('rebuild');
  expect(answer).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(world.machine.booted).toEqual([titles.builder, titles.usb]);
});

/** How each phase is held until it has been ended. */
const holds: Readonly<Record<string, (world: LoaderWorld) => { release(): void } | null>> = {
  backing_up: ({ running }) => running.daemon.hang('storageVolDownload'),
  arming_builder: ({ running }) => running.daemon.hang('storageVolUpload'),
  booting_builder: ({ running }) => running.daemon.hang('domainCreateWithFlags'),
};

describe.each(kinds)('cancelled, with %s', kind => {
  const { dsm } = entries[kind];
  const rows: readonly [RunningPhase, { off: boolean | null; touched: boolean; boots: string | null }][] = [
    ['shutting_down', { off: null, touched: false, boots: dsm }],
    ['backing_up', { off: true, touched: false, boots: dsm }],
    ['arming_builder', { off: true, touched: false, boots: dsm }],
    ['connecting', { off: false, touched: true, boots: kind === 'rr' ? dsm : null }],
    ['building', { off: false, touched: true, boots: dsm }],
    ['verifying', { off: null, touched: true, boots: null }],
    ['checking', { off: false, touched: true, boots: null }],
  ];
  const tried = rows.filter(([phase]) => isTried(kind, phase));
  test.concurrent.each(tried)('in %s: left as the table says', async (phase, { off, touched, boots }) => {
    await using world = await LoaderWorld.start({
      kind,
      powerButton: phase === 'shutting_down' ? 'ignored' : phase === 'connecting' ? 20 : 1_000,
      ...(phase === 'building' && { faults: ['silence'] }),
      ...(phase === 'verifying' && { faults: ['hang-poweroff'] }),
      ...(phase === 'connecting' && { ssh: { port: 1 }, vm: { shutdown: { ...impatient, timeout: 5_000 } } }),
      times: { again: 1_000 },
      dsm: (_, build) => (phase === 'checking' && build === 1 ? 'booting' : 'up'),
    });
    const asked = world.ask('rebuild');
    await world.loader(document => document.phase === 'shutting_down');
    const held = holds[phase]?.(world);
    if (phase !== 'shutting_down') await world.loader(document => document.phase === phase);
    const cancelling = world.ask('cancel');
    await world.heard('cancel');
    held?.release();
    const { answer, loader } = await asked;
    expect(answer).toMatchObject({ status: 'cancelled', code: 'cancelled', message: loader.error });
    await cancelling;
    expect(loader).toMatchObject({ phase: 'cancelled', result: 'cancelled', rollback: touched, percent: null });
    expect(loader.error).toMatch(world.machine.domain.active ? /The VM runs/ : /The VM is off/);
    if (off !== null) expect(world.machine.domain.active).toBe(!off);
    if (boots !== null) expect(world.machine.menu.next).toBe(boots);
    await world.unharmed(loader);
  });
});

test('no password, serial number or MAC is said or written down', async () => {
  const password = 'hush-my-darling';
  await using world = await LoaderWorld.start({ password, ssh: { password }, loader: { keepIdentity: false } });
  await world.ask('rebuild');
  const sn = '1780PDN123456';
  const macs = ['525400D53001', '52:54:00:d5:30:01', '00:11:32:AA:BB:CC', '001132AABBCC'];
  const folder = join(world.running.folder, 'loader');
  const files = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isFile());
  const journal = await Promise.all(files.map(({ name }) => readFile(join(folder, name), 'utf8')));
  expect(journal.join('').length).toBeGreaterThan(1_000);
  const messages = world.seen.seen.all.map(({ topic, payload }) => `${topic} ${payload}`);
  const log = world.running.log.entries.map(entry => JSON.stringify(entry));
  // They were there to be said.
  expect(world.machine.menu.entries).toHaveLength(3);
  for (const said of [...messages, ...log, ...journal]) {
    expect(said).not.toContain(password);
    expect(said).not.toContain(sn);
  }
  const loader = messages.filter(message => /^b\/DSM\/(loader|event|response)/.test(message));
  expect(loader.length).toBeGreaterThan(50);
  for (const said of [...loader, ...journal]) {
    for (const mac of macs) expect(said.toLowerCase()).not.toContain(mac.toLowerCase());
  }
});

describe('serial number and MAC are kept', () => {
  const fixture = (name: string) =>
    readFileSync(new URL(`../../fixtures/user-config/${name}`, import.meta.url), 'utf8');
  const upgraded = (config: string) => LoaderWorld.start({ image: { config }, loader: { upgrade: 'full' } });

  test.each(['user_config.json', 'user_config-without-general.json'])(
    'whatever stands beside them, and nobody says them: %s',
    async name => {
      await using world = await upgraded(fixture(name));
      expect(await world.ask('rebuild')).toMatchObject({ answer: { status: 'succeeded' } });
      const menu = withPartition(world.machine.image, 1, fat => fat.read('boot/grub/grub.cfg'))?.toString();
      expect(menu).toMatch(/mac1=0011320A0B0C sn=1780PDNOLD001 /);
      const said = world.seen.seen.all.map(({ payload }) => payload).join('\n');
      expect(said).not.toContain('1780PDNOLD001');
    },
  );

  test.each([
    ['that is no JSON', '{ "extra_cmdline": { "sn": "1780PDNOLD001", }'],
    ['whose serial number is none', '{ "extra_cmdline": { "sn": true, "mac1": "0011320A0B0C" } }'],
    ['that is empty', ''],
  ])('from a file %s: refused while DSM runs', async (_, config) => {
    await using world = await upgraded(config);
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'rejected', code: 'preflight' });
    expect(loader).toMatchObject({ result: 'failed', code: 'bad_config', rollback: false });
    expect(loader.next_step).toContain('keep_identity: false');
    expect(world.machine.booted).toEqual([titles.usb]);
    expect(world.machine.domain.active).toBe(true);
    expect(await world.sum()).toBe(world.before);
  });

  test('from a file that breaks after it was looked at: the builder is left as it is', async () => {
    await using world = await upgraded(fixture('user_config.json'));
    const broken = await savedHome('{ "extra_cmdline": { "sn": "1780PDNOLD001", }');
    world.machine.on('booted', title => {
      if (title === titles.builder) withPartition(world.machine.image, 3, fat => fat.write('mydata.tgz', broken));
    });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader).toMatchObject({ code: 'bad_config', rollback: true });
    const ran = world.machine.box()?.commands.join('\n');
    expect(ran).toContain('cat user_config.json');
    expect(ran).not.toMatch(/fullupgrade|serialgen/);
  });
});
