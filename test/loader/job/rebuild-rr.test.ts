/** What is of RR alone in a rebuild: its configuration, its update, an entry that starts once, its wait before DSM. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Values } from '../../../src/loader/kinds/identity.ts';
import { readConfig } from '../../../src/loader/kinds/rr/user-config.ts';
import { withPartition } from '../../fakes/box/image.ts';
import type { LoaderMachine } from '../../fakes/box/machine.ts';
import { makeUpdate, rrTitles } from '../../fakes/box/rr/image.ts';
import { temporary } from '../image/images.ts';
import { LoaderWorld, type LoaderWorldOptions } from './loader-world.ts';

const start = (options: LoaderWorldOptions = {}) => LoaderWorld.start({ kind: 'rr', ...options });
const succeeds = async (world: LoaderWorld) =>
  expect(await world.ask('rebuild')).toMatchObject({ answer: { status: 'succeeded' }, loader: { error: null } });

function read({ image }: LoaderMachine, path: string): string | null {
  return withPartition(image, 1, fat => fat.read(path))?.toString() ?? null;
}

function configOf(machine: LoaderMachine): Values {
  const found = readConfig(read(machine, 'user-config.yml') ?? '');
  return 'config' in found ? found.config : {};
}

describe('the configuration', () => {
  const settings = (text: string) =>
    `# Ours.\n${text
      .replace('sn: 1780PDN000000', "sn: '1780PDNOLD001'")
      .replace('mac2: ""', 'mac2: "001132000002"\nmac3: 001132000003')
      .replace('cmdline:\n', 'cmdline:\n  sata_remap: "0>1"\n')}somebodys:\n  own: "yes"\n`;
  /** Those are RR's own in it; it decides what they are. */
  const ofDsm = ['kver', 'kpre', 'paturl', 'patsum', 'zimage-hash', 'ramdisk-hash', 'synoinfo', 'modules', 'smallnum'];

  test.concurrent('keeps what is not to be changed, gets its map and its add-ons, and nobody says a secret', async () => {
    await using world = await start({
      // In German, and with an environment block as `reboottoloader` leaves it.
      image: { settings, locale: 'de_DE.UTF-8', envBytes: 1_042 },
      loader: { platform: 'ds918p-7.2.1-69057', addons: ['misc', 'powersched=--at 23:00'] },
    });
    const before = configOf(world.machine);
    await succeeds(world);
    const after = configOf(world.machine);
    const isOfRr = ([key]: [string, unknown]) => ofDsm.includes(key) || !(key in before);
    const ofRr = Object.fromEntries(Object.entries(after).filter(isOfRr));
    const addons = { ...Object(before['addons']), misc: '', powersched: '--at 23:00' };
    const cmdline = { sata_remap: '0>1', SataPortMap: '12', DiskIdxMap: '1000' };
    expect(after).toEqual({ ...before, buildnum: '69057', productver: '7.2', ...ofRr, cmdline, addons });
    expect(after).toMatchObject({ sn: '1780PDNOLD001', mac2: '001132000002', mac3: '001132000003' });
    expect(read(world.machine, 'user-config.yml')).toMatch(/^# Ours\.\n/);
    expect(read(world.machine, 'boot/grub/grubenv')).toHaveLength(1_024);
    const said = world.seen.seen.all.map(({ payload }) => payload).join('\n');
    expect(said).not.toMatch(/1780PDNOLD001|001132000003/);
    expect(said).toContain('had 1042 bytes');
    // It is asked in English.
    expect(said).toContain('Ready!');
  });

  test.concurrent('an add-on that RR has not is told before anything is built', async () => {
    await using world = await start({ loader: { addons: ['nonsense'] } });
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'no_addon', rollback: true });
    expect(world.machine.box()?.commands.join('\n')).not.toContain('menu.sh make');
    await world.unharmed(loader);
  });

  test.concurrent('of another model is made anew, but for its serial number and MACs', async () => {
    await using world = await start({
      loader: { model: 'DS3622xs+', platform: 'ds3622xsp-7.2.1-69057' },
      dsm: (_, build) => (build === 1 ? 'installer' : 'up'),
    });
    const { answer, loader } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'succeeded', code: 'awaiting_dsm_install' });
    expect(configOf(world.machine)).toMatchObject({
      ...{ model: 'DS3622xs+', platform: 'broadwellnk', buildnum: '69057' },
      ...{ sn: '1780PDN000000', mac1: '525400d53001' },
    });
    await world.unharmed(loader);
  });
});

describe('an upgrade from a file', () => {
  const upgrading = async (options: LoaderWorldOptions = {}, damage = '') => {
    const { folder, ...place } = await temporary();
    const upgradeZip = join(folder, 'update.zip');
    makeUpdate(upgradeZip, '26.8.0', damage);
    const world = await start({ ...options, loader: { upgrade: 'full', upgradeZip } });
    return { world, ...place };
  };

  test.concurrent('has RR reboot into its builder, and goes on there', async () => {
    await using place = await upgrading();
    await using world = place.world;
    await succeeds(world);
    const { dsm, builder } = world.entries;
    expect(world.machine.booted).toEqual([dsm, builder, builder, dsm]);
    expect(read(world.machine, 'RR_VERSION')).toBe('26.8.0\n');
    expect(read(world.machine, '.upgraded')).toBeNull();
  });

  test.concurrent('that is damaged changes nothing', async () => {
    await using place = await upgrading({}, 'damaged');
    await using world = place.world;
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'update_damaged', rollback: true });
    expect(read(world.machine, 'RR_VERSION')).toBe('26.7.4\n');
    await world.unharmed(loader);
  });

  test.concurrent('whose new RR cannot adapt the configuration: told, and the old loader can be had back', async () => {
    await using place = await upgrading({ faults: ['reconfigure-failed'] });
    await using world = place.world;
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'no_reconfiguration', rollback: true });
    await world.unharmed(loader);
  });
});

describe('an RR that boots DSM', () => {
  test.concurrent('and lets people in for a while: nobody logs in, and DSM comes up', async () => {
    await using world = await start({ bootWait: 1_000, times: { steady: 3_000 } });
    world.machine.choose(rrTitles.dsm);
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'wrong_guest', rollback: true });
    expect(loader.error).toContain('nobody has logged in');
    expect(world.machine.logins).toEqual([]);
    expect(await world.machine.up()).toBe(rrTitles.dsm);
    world.told(loader);
    await world.unharmed(loader);
  });

  test.concurrent('is stopped by a login, and is no builder', async () => {
    await using world = await start({ bootWait: 60_000, on: false });
    world.machine.choose(rrTitles.dsm);
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'wrong_guest', rollback: true });
    expect(loader.error).toContain('RR was not started to be configured');
    expect(read(world.machine, '.build')).toBeNull();
  });
});
