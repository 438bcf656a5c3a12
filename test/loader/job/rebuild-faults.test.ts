/** Whatever goes wrong in a rebuild: told, with the state in which the VM is left, and never at the cost of the image. */
import { describe, expect, test } from 'vitest';
import { titles } from '../../fakes/box/image.ts';
import type { ScenarioName } from '../../fakes/dsm/scenario.ts';
import { startSshd } from '../../fakes/sshd.ts';
import { impatient } from './loader-tuning.ts';
import { isTried, kinds, LoaderWorld, type LoaderWorldOptions, replaceFs, sumOf } from './loader-world.ts';

const extensions = ['https://github.com/pocopico/redpill-load/raw/develop/redpill-virtio/rpext-index.json'];
const start = (options: LoaderWorldOptions = {}) =>
  LoaderWorld.start({ ...options, loader: { ...(options.kind !== 'rr' && { extensions }), ...options.loader } });

describe('the guest', () => {
  test('does not power off: it is left running, untouched', async () => {
    await using world = await start({ powerButton: 'ignored', vm: { shutdown: impatient } });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader).toMatchObject({ code: 'timed_out', rollback: false });
    expect(loader.error).toContain('may still power off');
    expect(world.machine.running).toBe(titles.usb);
    await world.unharmed(loader);
  });

  test.concurrent('is being updated: refused, and nothing is touched', async () => {
    await using world = await start({ dsm: () => 'installing' });
    await world.ask('check');
    const { answer } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'rejected', code: 'wrong_state' });
    expect(world.machine.running).toBe(titles.usb);
    expect(await world.sum()).toBe(world.before);
  });
});

describe.each(kinds.filter(kind => isTried(kind, 'checking')))('the guest of %s', kind => {
  test.concurrent('never comes back: the menu is put back, and nobody pretends', async () => {
    await using world = await start({ kind, bootTime: 600_000, on: false, times: { connect: 3_000 } });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader.code).toMatch(/^ssh_(unreachable|timed_out)$/);
    expect(loader).toMatchObject({ rollback: true, phase: 'failed' });
    world.told(loader);
    expect(await sumOf(loader.backup.file ?? '')).toBe(world.before);
  });

  test.concurrent('is DSM where the builder should be: nobody logs in to it', async () => {
    await using world = await start({ kind });
    world.machine.choose(world.entries.dsm);
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader).toMatchObject({ code: 'wrong_guest', rollback: true });
    world.told(loader);
    await world.unharmed(loader);
  });

  test.concurrent.each<ScenarioName>(['web-dead', 'other-page'])(
    'is a DSM that is not known as one (%s), whose SSH is there: nobody logs in to it',
    async scenario => {
      let boots = 0;
      await using world = await start({
        kind,
        dsm: () => (++boots === 1 ? 'up' : scenario),
        times: { connect: 2_000 },
      });
      const { host, port } = world.machine;
      world.machine.choose(world.entries.dsm);
      const asked = world.ask('rebuild');
      await world.loader(({ phase }) => phase === 'booting_builder');
      await using sshd = await startSshd({ host, port });
      const { loader } = await asked;
      expect(loader).toMatchObject({ code: 'other_page', rollback: true });
      expect(sshd.logins).toEqual([]);
      world.told(loader);
    },
  );

  test.concurrent('has another host key than the one that is pinned: nobody logs in', async () => {
    await using world = await start({ kind, ssh: { hostKey: `SHA256:${'A'.repeat(43)}` } });
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'ssh_host_key_mismatch', rollback: true });
    expect(world.machine.box()?.logins).toEqual([]);
    world.told(loader);
  });

  test.concurrent('does not know the password: it is said twice at most', async () => {
    await using world = await start({ kind, ssh: { password: 'wrong' } });
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'ssh_authentication_failed', rollback: true });
    expect(world.machine.box()?.logins.filter(login => login.includes('password')).length).toBeLessThanOrEqual(2);
    world.told(loader);
  });

  test.concurrent('is a DSM that does not come up from its new loader', async () => {
    await using world = await start({ kind, dsm: (_, build) => (build === 1 ? 'installer' : 'up') });
    const { answer, loader } = await world.ask('rebuild');
    // What was installed is not known, and then the installer may be what was wanted.
    expect(answer).toMatchObject({ status: 'succeeded', code: 'awaiting_dsm_install' });
    expect(loader).toMatchObject({ phase: 'done', result: 'awaiting_dsm_install', rollback: true });
    await world.unharmed(loader);
  });

  test.concurrent('is an installer that sees no disk: that is no success', async () => {
    await using world = await start({ kind, dsm: (_, build) => (build === 1 ? 'no-disk' : 'up') });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
    expect(loader).toMatchObject({ phase: 'failed', code: 'no_disk', rollback: true });
    expect(loader.next_step).toContain('SataPortMap');
    await world.unharmed(loader);
  });

  test.concurrent('is a DSM of which only the loader answers: rolled back without asking, if so configured', async () => {
    await using world = await start({
      kind,
      dsm: (_, build) => (build === 1 ? 'loader' : 'up'),
      times: { again: 1_000 },
      loader: { onFailure: 'auto' },
    });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rolled_back' });
    expect(loader).toMatchObject({ phase: 'rolled_back', result: 'rolled_back', code: 'dsm_not_up', rollback: false });
    expect(await world.machine.up()).toBe(world.entries.dsm);
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
    await world.unharmed(loader);
  });

  test('is full already: refused, and DSM runs on', async () => {
    await using world = await start();
    using _ = fullFrom(() => true);
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'rejected', code: 'preflight', message: expect.stringContaining('free') });
    expect(loader).toMatchObject({ phase: 'failed', rollback: false });
    expect(world.machine.booted).toEqual([titles.usb]);
    await world.unharmed(loader);
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
    await world.unharmed(loader);
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
      world.told(loader);
      await world.seen.take('b/DSM/availability', 'online');
      await world.unharmed(loader);
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
    await world.unharmed(loader);
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
    await world.unharmed(loader);
  });
});
