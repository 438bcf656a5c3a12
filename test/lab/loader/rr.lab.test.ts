/**
 * The stand-in for the RR loader on the guest: its disk, its boots, its scripts over SSH. All that its scripts say is tried
 * on this machine (test/contract/rr-native.test.ts), and a whole rebuild by the bridge (test/e2e/rebuild.lab.test.ts).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cases, type Ran, rrContract } from '../../contract/rr.ts';
import type { Box } from '../box.ts';
import { guest, inLab } from '../lab.ts';
import { rr } from './rr.ts';

/** Of what boots more than once, in milliseconds, on a machine that has other things to do. */
const boots = 900_000;
/** These depend on the guest's own awk, its pipes and its partitions. */
const few = ['modelMenu_same', 'modelMenu_open', 'keys', 'make_german_404'];

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
});

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
