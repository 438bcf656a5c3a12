/** Whatever goes wrong in a rebuild: told, with the state in which the VM is left, and never at the cost of the image. */
import { describe, expect, test } from 'vitest';
import type { LoaderDocument } from '../../../src/model/documents.ts';
import type { BoxFault } from '../../fakes/box/box.ts';
import { titles } from '../../fakes/box/image.ts';
import type { ScenarioName } from '../../fakes/dsm/scenario.ts';
import { startSshd } from '../../fakes/sshd.ts';
import { LoaderWorld, type LoaderWorldOptions, replaceFs, sumOf } from './loader-world.ts';

const extensions = ['https://github.com/pocopico/redpill-load/raw/develop/redpill-virtio/rpext-index.json'];
const start = (options: LoaderWorldOptions = {}) =>
  LoaderWorld.start({ ...options, loader: { extensions, ...options.loader } });

const impatient = { method: 'acpi', timeout: 400, resendEvery: 60_000, maxPresses: 1, onTimeout: 'report' } as const;

/** There is a copy that is the image as it was, or the image is that itself; and what is offered brings it back. */
async function unharmed(world: LoaderWorld, { rollback, backup }: LoaderDocument): Promise<void> {
  if (!rollback) {
    expect(await world.sum()).toBe(world.before);
    return;
  }
  expect(await sumOf(backup.file ?? '')).toBe(world.before);
  world.machine.faults = [];
  const back = await world.ask('rollback', { on_timeout: 'force_off' });
  expect(back).toMatchObject({
    answer: { status: 'succeeded', code: 'done' },
    loader: { phase: 'rolled_back', result: 'rolled_back', rollback: false, error: null },
  });
  expect(await world.machine.up()).toBe(titles.usb);
  expect(await world.sum()).toBe(world.before);
}

/** It says what failed, how the VM is, and what can be done. */
function told(world: LoaderWorld, { error, next_step }: LoaderDocument): void {
  const { active } = world.machine.domain;
  expect(error).toContain(active ? 'The VM runs' : 'The VM is off');
  // There is nothing to be done where all is as it was.
  if (!(active && error?.includes('its loader is untouched'))) expect(next_step ?? '').not.toBe('');
}

describe('what the image builder makes of it', () => {
  const rows: [BoxFault, string][] = [
    ['no-internet', 'no_internet'],
    ['no-space', 'cache_full'],
    ['first-partition-full', 'no_space'],
    ['no-recipe', 'no_recipe'],
    ['platform-not-found', 'platform_not_found'],
    ['mount-failure', 'mount_failed'],
    ['late-failure', 'patch_failed'],
    ['ext-unreachable', 'no_extension'],
    ['empty-config', 'not_proven'],
    ['no-usb', 'no_usb_disk'],
    ['backup-failure', 'home_not_saved'],
    ['silence', 'ssh_silent'],
    ['drop', 'ssh_connection_lost'],
    ['reboot', 'ssh_connection_lost'],
    ['unknown-prompt', 'ssh_unknown_prompt'],
    ['hang-poweroff', 'timed_out'],
    ['half-extension', 'half_extension'],
    ['extractor-page', 'no_extractor'],
    ['no-config', 'no_build_config'],
    ['odd-end', 'exit_code'],
    // An error page comes instead of it, and is not saved.
    ['upgrade-page', 'upgrade_not_whole'],
  ];
  /** What a fault's end is waited for. */
  const soon: Partial<Record<BoxFault, LoaderWorldOptions>> = {
    silence: { hasty: true },
    'hang-poweroff': { times: { powerOff: 1_000 }, vm: { shutdown: impatient } },
    'upgrade-page': { loader: { upgrade: 'full' } },
  };
  /** What the answer itself says: of an end that nobody knows, the last ten lines, without serial number and MAC. */
  const says: Partial<Record<BoxFault, RegExp>> = {
    'unknown-prompt': /“Do you want to migrate your settings to the new format \? \[yY\/nN\] :”/,
    'odd-end':
      /^"Build the loader" ended with exit code 7\. It said at last:\n(.*\n){9}Nobody has ever said this: sn=\[serial\] mac1=\[mac\]\n.*$/,
  };
  test.concurrent.each(rows)('%s: %s, and the old loader can be had back', async (fault, code) => {
    await using world = await start({ faults: [fault], ...soon[fault] });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed', message: loader.error });
    expect(loader).toMatchObject({ phase: 'failed', result: 'failed', code, rollback: true });
    expect(loader.error).toMatch(says[fault] ?? /./);
    told(world, loader);
    await unharmed(world, loader);
  });

  test.concurrent.each<BoxFault>(['self-update', 'custom-module', 'emulated', 'second-controller'])(
    '%s: answered by name, and built all the same',
    async fault => {
      await using world = await start({ faults: [fault] });
      expect(await world.ask('rebuild')).toMatchObject({
        answer: { status: 'succeeded', code: 'done' },
        loader: { phase: 'done', result: 'succeeded', rollback: false },
      });
      expect(world.machine.menu.build).toBe(1);
    },
  );
});

describe('the guest', () => {
  test('does not power off: it is left running, untouched', async () => {
    await using world = await start({ powerButton: 'ignored', vm: { shutdown: impatient } });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader).toMatchObject({ code: 'timed_out', rollback: false });
    expect(loader.error).toContain('may still power off');
    expect(world.machine.running).toBe(titles.usb);
    await unharmed(world, loader);
  });

  test.concurrent('is being updated: refused, and nothing is touched', async () => {
    await using world = await start({ dsm: () => 'installing' });
    await world.ask('check');
    const { answer } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'rejected', code: 'wrong_state' });
    expect(world.machine.running).toBe(titles.usb);
    expect(await world.sum()).toBe(world.before);
  });

  test.concurrent('never comes back: the menu is put back, and nobody pretends', async () => {
    await using world = await start({ bootTime: 600_000, on: false, times: { connect: 3_000 } });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader.code).toMatch(/^ssh_(unreachable|timed_out)$/);
    expect(loader).toMatchObject({ rollback: true, phase: 'failed' });
    told(world, loader);
    expect(await sumOf(loader.backup.file ?? '')).toBe(world.before);
  });

  test.concurrent('is DSM where the builder should be: nobody logs in to it', async () => {
    await using world = await start();
    world.machine.choose(titles.usb);
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader).toMatchObject({ code: 'wrong_guest', rollback: true });
    told(world, loader);
    await unharmed(world, loader);
  });

  test.concurrent.each<ScenarioName>(['web-dead', 'other-page'])(
    'is a DSM that is not known as one (%s), whose SSH is there: nobody logs in to it',
    async scenario => {
      let boots = 0;
      await using world = await start({ dsm: () => (++boots === 1 ? 'up' : scenario), times: { connect: 2_000 } });
      const { host, port } = world.machine;
      world.machine.choose(titles.usb);
      const asked = world.ask('rebuild');
      await world.loader(({ phase }) => phase === 'booting_builder');
      await using sshd = await startSshd({ host, port });
      const { loader } = await asked;
      expect(loader).toMatchObject({ code: 'other_page', rollback: true });
      expect(sshd.logins).toEqual([]);
      told(world, loader);
    },
  );

  test.concurrent('has another host key than the one that is pinned: nobody logs in', async () => {
    await using world = await start({ ssh: { hostKey: `SHA256:${'A'.repeat(43)}` } });
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'ssh_host_key_mismatch', rollback: true });
    expect(world.machine.box()?.logins).toEqual([]);
    told(world, loader);
  });

  test.concurrent('does not know the password: it is said twice at most', async () => {
    await using world = await start({ ssh: { password: 'wrong' } });
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'ssh_authentication_failed', rollback: true });
    expect(world.machine.box()?.logins.filter(login => login.includes('password')).length).toBeLessThanOrEqual(2);
    told(world, loader);
  });

  test.concurrent('is a DSM that does not come up from its new loader', async () => {
    await using world = await start({ dsm: (_, build) => (build === 1 ? 'installer' : 'up') });
    const { answer, loader } = await world.ask('rebuild');
    // What was installed is not known, and then the installer may be what was wanted.
    expect(answer).toMatchObject({ status: 'succeeded', code: 'awaiting_dsm_install' });
    expect(loader).toMatchObject({ phase: 'done', result: 'awaiting_dsm_install', rollback: true });
    await unharmed(world, loader);
  });

  test.concurrent('is an installer that sees no disk: that is no success', async () => {
    await using world = await start({ dsm: (_, build) => (build === 1 ? 'no-disk' : 'up') });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader).toMatchObject({ phase: 'failed', code: 'no_disk', rollback: true });
    expect(loader.next_step).toContain('SataPortMap');
    await unharmed(world, loader);
  });

  test.concurrent('is a DSM of which only the loader answers: rolled back without asking, if so configured', async () => {
    await using world = await start({
      dsm: (_, build) => (build === 1 ? 'loader' : 'up'),
      times: { again: 1_000 },
      loader: { extensions, onFailure: 'auto' },
    });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rolled_back' });
    expect(loader).toMatchObject({ phase: 'rolled_back', result: 'rolled_back', code: 'dsm_not_up', rollback: false });
    expect(await world.machine.up()).toBe(titles.usb);
    expect(await world.sum()).toBe(world.before);
  });
});

describe('the disk of the copies', () => {
  test('is full when it comes to it: DSM is started again', async () => {
    await using world = await start({ powerButton: 1_000 });
    using _ = fullFrom(() => world.documents.some(({ phase }) => phase === 'shutting_down'));
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ phase: 'failed', code: 'image_no_space', rollback: false });
    expect(loader.error).toContain('DSM was started again. The VM runs; its loader is untouched.');
    expect(await world.machine.up()).toBe(titles.usb);
    await unharmed(world, loader);
  });

  test('is full already: refused, and DSM runs on', async () => {
    await using world = await start();
    using _ = fullFrom(() => true);
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'rejected', code: 'preflight', message: expect.stringContaining('free') });
    expect(loader).toMatchObject({ phase: 'failed', rollback: false });
    expect(world.machine.booted).toEqual([titles.usb]);
    await unharmed(world, loader);
  });
});

test.each(['arming_builder', 'building'] as const)(
  'the disk of the journal is full from %s on: told as that, and the old loader can be had back',
  async phase => {
    await using world = await start();
    const asked = world.ask('rebuild');
    await world.loader(document => document.phase === phase);
    const full = replaceFs('writeFile', write => async (...all) => {
      if (`${all[0]}`.includes('DSM.json')) throw new Error('ENOSPC: no space left on device');
      await write(...all);
    });
    const { loader } = await asked.finally(() => full[Symbol.dispose]());
    expect(loader).toMatchObject({ phase: 'failed', code: 'journal', rollback: true });
    expect(loader.error).toContain('The journal cannot be written: ENOSPC: no space left on device. The VM');
    await unharmed(world, loader);
  },
);

/** The file systems of this process have no room as soon as this says so. */
function fullFrom(isFull: () => boolean): Disposable {
  const full = (statfs: (path: string) => Promise<object>) => async (path: string) => {
    const known = await statfs(path);
    return isFull() ? { ...known, bavail: 0 } : known;
  };
  return replaceFs('statfs', statfs => full(path => statfs(path)) as typeof statfs);
}

describe('libvirt', () => {
  test.concurrent.each([
    ['backing_up', 'storageVolDownload'],
    ['arming_builder', 'storageVolUpload'],
  ] as const)(
    'is killed in %s, and comes back: told with how the VM is then, and nothing lost',
    async (phase, call) => {
      await using world = await start({ powerButton: 1_000 });
      const { daemon } = world.running;
      const asked = world.ask('rebuild');
      await world.loader(document => document.phase === 'shutting_down');
      using stuck = daemon.hang(call);
      await daemon.called(call, daemon.callsOf(call).length + 1);
      await world.loader(document => document.phase === phase);
      await daemon.kill();
      stuck.release();
      await world.seen.take('b/DSM/availability', 'offline');
      await daemon.listen();
      const { answer, loader } = await asked;
      expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed', message: loader.error });
      expect(loader).toMatchObject({ code: 'libvirt_unavailable', phase: 'failed' });
      told(world, loader);
      await world.seen.take('b/DSM/availability', 'online');
      await unharmed(world, loader);
    },
  );

  test.concurrent('stays away: told, as far as is known, and the loader is as it was', async () => {
    await using world = await start({ powerButton: 1_000 });
    const { daemon } = world.running;
    const { asked, stuck } = await world.copying();
    using _held = stuck;
    await daemon.kill();
    stuck.release();
    await world.seen.take('b/DSM/availability', 'offline');
    // Nobody can start DSM; it is given up in time, and until then said to be tried.
    await world.loader(({ step }) => step === 'Starting DSM again');
    await daemon.listen();
    const { loader } = await asked;
    expect(loader).toMatchObject({ code: 'libvirt_unavailable', rollback: false });
    await unharmed(world, loader);
  });

  test.concurrent('has the VM started by somebody else while its image is copied: nothing is written', async () => {
    await using world = await start({ powerButton: 1_000 });
    const { asked, stuck } = await world.copying();
    using _held = stuck;
    world.machine.domain.start();
    await world.machine.up();
    stuck.release();
    const { loader } = await asked;
    expect(loader).toMatchObject({ code: 'interfered', rollback: false });
    expect(loader.error).toContain('The VM runs; its loader is untouched.');
    await unharmed(world, loader);
  });
});
