/**
 * The stand-in for the RR loader on the guest: its disk, its boots, its scripts over SSH. All that its scripts say is tried
 * on this machine (test/contract/rr-native.test.ts), and a whole rebuild by the bridge (test/e2e/rebuild.lab.test.ts).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cases, type Ran, rrContract } from '../../contract/rr.ts';
import { type Box, login } from '../box.ts';
import { guest, inLab } from '../lab.ts';
import { rr } from './rr.ts';
import { storedZip } from './zip.ts';

/** Of what boots more than once, in milliseconds, on a machine that has other things to do. */
const boots = 900_000;
/** These depend on the guest's own awk, its pipes and its partitions. */
const few = [
  ...['modelMenu_same', 'modelMenu_open', 'productversMenu_other', 'make_other', 'cleanCache', 'keys'],
  ...['make_german_404', 'no_function'],
];

let box: Box;
let original: AsyncDisposable | null = null;

async function insert(): Promise<void> {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  original = await rr.insert();
}

async function takeOut(): Promise<void> {
  box?.[Symbol.dispose]();
  if (inLab()) await guest.off();
  await original?.[Symbol.asyncDispose]();
  original = null;
}

async function enter(): Promise<void> {
  expect(await rr.booted(boots)).toBe('rr');
  box = await rr.login(boots);
}

const isBuilder = async () => (await box.run('cat /proc/cmdline')).stdout.includes('IWANTTOCHANGETHECONFIG');

describe('its disk', () => {
  beforeEach(insert);
  afterEach(takeOut);

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
    'a login in the boot wait stops the boot; an update of DSM is patched at the next one, or ends it',
    async () => {
      await rr.bootWait(60);
      const up = guest.start(boots);
      box = await rr.login(boots);
      await up;
      expect(await rr.booted()).toBe('rr');
      expect(await isBuilder()).toBe(false);

      await guest.off();
      await rr.bootWait(1);
      await rr.updateDsm('7.1.1-42962', '6');
      // What is armed can be ignored.
      await rr.ignoreNextEntry();
      await rr.arm('config');
      expect(await rr.booted(boots)).toBe('dsm');
      expect(await rr.cmdline()).toMatchObject({
        ...{ loader_build: '1', syno_hw_version: 'DS918+', sn: '1780PDN000000', mac1: '525400d53001' },
        ...{ SataPortMap: '1', DiskIdxMap: '10' },
      });

      await guest.off();
      expect((await rr.read(1, '/user-config.yml')).toString()).toMatch(/^smallnum: "?6"?$/m);
      await rr.updateDsm('7.2.1-69057', '1');
      await rr.fault('ramdisk-not-patched');
      await enter();
      expect(await isBuilder()).toBe(false);
      expect((await box.run('ls /mnt/p1/.build')).code).toBe(0);
    },
    boots,
  );
});

describe('its builder', () => {
  beforeAll(async () => {
    await insert();
    await rr.arm('config');
    await enter();
    // Nothing here starts DSM.
    await guest.run('cd /mnt && echo k | tee p3/lab/zImage p2/zImage p3/zImage-dsm && gzip -c p2/zImage >p3/lab/rd.gz');
    await guest.run(
      'cd /mnt && gzip -dc p2/rd.gz | head -c 600 | gzip >/tmp/rd && cp /tmp/rd p2/rd.gz && cp /tmp/rd p3/initrd-dsm',
    );
  }, boots);
  afterAll(takeOut, boots);

  rrContract(
    "the lab's menu.sh, over SSH",
    () =>
      Promise.resolve({
        run: (script, { open = false, within } = {}) => run(script, open, within),
        fault: names => rr.fault(...names),
        [Symbol.asyncDispose]: () => rr.fault(),
      }),
    cases.filter(({ name }) => few.includes(name)),
  );

  test(
    'loses the connection with `drop`, and its server comes back',
    async () => {
      await rr.fault('drop');
      expect(await rrMenu('make')).toMatchObject({ code: null });
      await box.closed;
      box = await rr.login(boots);
      await rr.fault();
    },
    boots,
  );

  test(
    'reboots into itself after an update from a zip whose checksums are right; in the middle of a build, into what is not armed',
    async () => {
      const put = async (sums: string) => {
        const zip = storedZip({ RR_VERSION: '26.9.0\n', sha256sum: sums });
        await box.run(`echo ${zip.toString('base64')} | base64 -d >/tmp/update-26.9.0.zip`);
      };
      await put(`${'0'.repeat(64)}  RR_VERSION\n`);
      expect((await rrMenu('updateMenu r')).stdout).toContain('--title Update RR --msgbox Checksum do not match! 0 0');
      await put(`${(await box.run(`printf '26.9.0\\n' | sha256sum`)).stdout.split(' ')[0]}  RR_VERSION\n`);
      const update = await rrMenu('updateMenu r');
      expect(update.stdout).toContain('--title Update RR --msgbox RR updated with success!\n');
      await box.closed;
      await enter();
      expect((await box.run('. /opt/rr/include/functions.sh; echo $RR_VERSION; ls -A /mnt/p1')).stdout).toMatch(
        /^26\.9\.0\n\.build\n\.upgraded\n/,
      );
      expect(await isBuilder()).toBe(true);

      await rr.password('other');
      // The kernel and the ramdisk are gone, and with them the entries of DSM: `config` is the first one.
      await box.run('rm /mnt/p3/*-dsm; sync');
      await rr.fault('reboot');
      await rrMenu('make', 60_000).catch(() => {});
      await guest.off();
      await rr.fault();
      expect(await rr.booted(boots)).toBe('rr');
      await expect(login(10_000, { username: 'root', password: 'rr' })).rejects.toThrow();
      (await login(boots, { username: 'root', password: 'other' }))[Symbol.dispose]();
    },
    boots,
  );
});

const rrMenu = (args: string, deadline?: number) =>
  box.run(`. ~/.mountloader; cd /opt/rr; ./menu.sh ${args} </dev/null`, deadline === undefined ? {} : { deadline });

async function run(script: string, open: boolean, within = 120_000): Promise<Ran> {
  const quoted = script.replaceAll("'", "'\\''");
  try {
    const ended = await box.run(`bash -c '${quoted}'`, { closed: !open, deadline: within });
    return { code: ended.code, output: ended.stdout + ended.stderr };
  } catch {
    await box.run('killall menu.sh cat; rm -f /tmp/menu.lock');
    return { code: null, output: '' };
  }
}
