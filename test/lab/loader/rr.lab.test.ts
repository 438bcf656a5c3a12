/** The stand-in for the RR loader: its disk, its boot entries, and a whole rebuild by its own scripts. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Box, Ended } from '../box.ts';
import { address, domainState, guest, inLab, poll } from '../lab.ts';
import { reachable } from '../processes.ts';
import { rr } from './rr.ts';

/** Of a test that boots more than once, in milliseconds, on a machine that has other things to do. */
const boots = 600_000;

let box: Box;
let original: AsyncDisposable;

beforeAll(() => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
});

beforeEach(async () => {
  await guest.off();
  original = await rr.insert();
});

afterEach(async () => {
  box?.[Symbol.dispose]();
  await guest.off();
  await original[Symbol.asyncDispose]();
});

async function enter(): Promise<void> {
  expect(await rr.booted(boots)).toBe('rr');
  box = await rr.login(boots);
}

const within = '. ~/.mountloader; cd /opt/rr;';
const rrMenu = (args: string): Promise<Ended> => box.run(`${within} ./menu.sh ${args} </dev/null`);

async function settings(): Promise<Record<string, string>> {
  const text = (await rr.read(1, '/user-config.yml')).toString();
  return Object.fromEntries([...text.matchAll(/^ *([\w-]+): "?(.*?)"?$/gm)].map(([, key, value]) => [key, value]));
}

describe('the disk', () => {
  test('has RR’s three partitions, and a GRUB environment', async () => {
    const { stdout } = await promisify(execFile)('blkid', ['-p', '-O', String(49 << 20), '-o', 'value', rr.image]);
    expect(stdout).toMatch(/^RR3$[\s\S]*^ext4$/m);
    expect(await rr.read(1, '/boot/grub/grubenv')).toHaveLength(1024);
    expect((await rr.read(1, '/RR_VERSION')).toString()).toBe('26.7.4\n');
    expect((await rr.read(2, '/rd.gz')).length).toBeGreaterThan(1_000_000);
    expect(await rr.read(3, '/zImage-dsm')).toEqual(await rr.read(2, '/zImage'));
    const ids = (await rr.read(1, '/boot/grub/grub.cfg')).toString().matchAll(/^ *menuentry .*} (\w+) \{$/gm);
    expect([...ids].map(([, id]) => id)).toEqual(['direct', 'boot', 'recovery', 'junior', 'config', 'verbose', 'uefi']);
  });

  test(
    'a login in the boot wait stops the boot, and the next boot is DSM, with the loader it came with',
    async () => {
      await rr.bootWait(60);
      const up = guest.start(boots);
      box = await rr.login(boots);
      await up;
      expect(await rr.booted()).toBe('rr');
      expect((await box.run('cat /proc/cmdline')).stdout).not.toContain('IWANTTOCHANGETHECONFIG');
      await guest.off();
      await rr.bootWait(1);
      expect(await rr.booted(boots)).toBe('dsm');
      expect(await rr.cmdline()).toMatchObject({
        ...{ loader_build: '0', syno_hw_version: 'DS918+', sn: '1780PDN000000', mac1: '525400d53001' },
        ...{ SataPortMap: '1', DiskIdxMap: '10' },
      });
    },
    boots,
  );

  test(
    'an entry that is armed can be ignored',
    async () => {
      await rr.ignoreNextEntry();
      await rr.arm('config');
      expect(await rr.booted(boots)).toBe('dsm');
    },
    boots,
  );
});

describe('an update of DSM', () => {
  test(
    'is patched at the next boot, or the boot ends before DSM',
    async () => {
      await rr.updateDsm('7.1.1-42962', '6');
      expect(await rr.booted(boots)).toBe('dsm');
      expect(await rr.cmdline()).toMatchObject({ loader_build: '1' });
      await guest.off();
      expect(await settings()).toMatchObject({
        productver: '7.1',
        buildnum: '42962',
        smallnum: '6',
        paturl: '#UPGRADED',
      });

      await rr.updateDsm('7.2.1-69057', '1');
      await rr.fault('ramdisk-not-patched');
      await enter();
      expect((await box.run('cat /proc/cmdline')).stdout).not.toContain('IWANTTOCHANGETHECONFIG');
      expect((await box.run('ls /mnt/p1/.build')).code).toBe(0);
    },
    boots,
  );
});

describe('a rebuild', () => {
  test(
    'by the loader’s commands, in an entry that comes once, puts another DSM’s loader in place',
    async () => {
      await rr.arm('config');
      await enter();
      expect((await box.run('cat /proc/cmdline')).stdout).toContain('IWANTTOCHANGETHECONFIG');
      for (const port of [22, 7080, 7681]) expect(await reachable({ host: address.guest, port })).toBe(true);
      for (const port of [5000, 5001, 445]) expect(await reachable({ host: address.guest, port })).toBe(false);

      expect(await rrMenu('modelMenu DS918+')).toMatchObject({ code: 0, stderr: '' });
      const version = await rrMenu('productversMenu 7.2.1-69057-1');
      expect(version.stdout).toContain('--infobox Reconfiguring Synoinfo, Addons and Modules ... 0 0\n');
      const write = `${within} . include/functions.sh; writeConfigKey`;
      await box.run(`${write} cmdline.SataPortMap 12 "$USER_CONFIG_FILE"`);
      await box.run(`${write} cmdline.DiskIdxMap 1000 "$USER_CONFIG_FILE"`);
      expect((await box.run('ls /mnt/p1/.build /mnt/p2 /mnt/p3/zImage-dsm')).stdout).toBe(
        '/mnt/p1/.build\n\n/mnt/p2:\nlost+found\n',
      );
      const made = await rrMenu('make');
      expect(made.stdout).toMatch(/\nReady!\n--title Main menu --progressbox Making/);
      expect(made.stdout).not.toContain('--title Error');
      expect(await rrMenu('cleanCache')).toMatchObject({ code: 0 });
      expect((await box.run('ls /mnt/p1/.build; ls /mnt/p3/dl')).stdout).toBe('');
      await box.run('poweroff');
      await poll(async () => (await domainState()) === 'shut off', { what: 'the power-off' });

      expect(await rr.armed()).toBeNull();
      expect(await settings()).toMatchObject({
        ...{ model: 'DS918+', productver: '7.2', buildnum: '69057', smallnum: '1', kver: '4.4.302' },
        ...{ SataPortMap: '12', DiskIdxMap: '1000', sn: '1780PDN000000', mac1: '525400d53001' },
      });
      expect(await rr.booted(boots)).toBe('dsm');
      expect(await rr.cmdline()).toMatchObject({ loader_build: '1', SataPortMap: '12', DiskIdxMap: '1000' });
      const { version: built, build } = JSON.parse((await guest.run('cat /etc/loader.json')).output);
      expect({ built, build }).toEqual({ built: '7.2.1-69057', build: '1' });
    },
    boots,
  );
});
