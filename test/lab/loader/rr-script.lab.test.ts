/** RR's stand-in over SSH: that its menu.sh says, does and ends as the real one does; and what happens to its machine. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { cases, type Ran, rrContract } from '../../contract/rr.ts';
import { type Box, login } from '../box.ts';
import { guest, inLab } from '../lab.ts';
import { rr } from './rr.ts';
import { storedZip } from './zip.ts';

/** In milliseconds, on a machine that has other things to do. */
const boots = 600_000;

let box: Box;
let original: AsyncDisposable;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  original = await rr.insert();
  await rr.arm('config');
  await enter();
  // Nothing here starts DSM.
  await guest.run('cd /mnt && echo k | tee p3/lab/zImage p2/zImage p3/zImage-dsm && gzip -c p2/zImage >p3/lab/rd.gz');
  await guest.run(
    'cd /mnt && gzip -dc p2/rd.gz | head -c 600 | gzip >/tmp/rd && cp /tmp/rd p2/rd.gz && cp /tmp/rd p3/initrd-dsm',
  );
}, boots);

afterAll(async () => {
  box?.[Symbol.dispose]();
  if (inLab()) await guest.off();
  await original?.[Symbol.asyncDispose]();
});

async function enter(): Promise<void> {
  expect(await rr.booted(boots)).toBe('rr');
  box = await rr.login(boots);
}

const rrMenu = (args: string, deadline?: number) =>
  box.run(`. ~/.mountloader; cd /opt/rr; ./menu.sh ${args} </dev/null`, deadline === undefined ? {} : { deadline });

/** The fast tests run the same script with all of them; an emulated machine takes its time. */
const few = [
  ...[
    'modelMenu_same',
    'modelMenu_open',
    'productversMenu_other',
    'make_other',
    'cleanCache',
    'keys',
    'make_no_network',
  ],
  ...['make_md5', 'make_after_md5', 'make_p1_full', 'make_german_404', 'no_function'],
];

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

describe('a fault', () => {
  afterEach(async () => {
    await rr.fault();
  });

  test('stale-success says that it is ready, and has built nothing', async () => {
    await rr.fault('stale-success');
    await box.run('touch /mnt/p1/.build; rm -f /mnt/p3/zImage-dsm');
    const { stdout } = await rrMenu('make');
    expect(stdout).toMatch(/^Ready!$/m);
    expect(stdout).not.toContain('--title Error');
    expect((await box.run('ls /mnt/p1/.build /mnt/p3/zImage-dsm')).stdout).toBe('/mnt/p1/.build\n');
  });

  test('reconfigure-failed comes where the loader was updated', async () => {
    await rr.fault('reconfigure-failed');
    await box.run('touch /mnt/p1/.upgraded');
    expect((await rrMenu('make')).stdout).toContain('--title Error --msgbox Reconfiguration failed! 0 0');
    await box.run('rm /mnt/p1/.upgraded');
  });

  test.each(['silence', 'unknown-prompt', 'pat-stalls'] as const)('%s goes on for ever', async name => {
    await rr.fault(name);
    await box.run('rm -f /mnt/p2/zImage /mnt/p3/dl/*');
    await expect(rrMenu('make', 10_000)).rejects.toThrow('went on for 10000 ms');
    await box.run('killall menu.sh sleep; rm -f /tmp/menu.lock');
  });

  test('drop loses the connection in the middle, and the server comes back', async () => {
    await rr.fault('drop');
    expect(await rrMenu('make')).toMatchObject({ code: null });
    await box.closed;
    box = await rr.login(boots);
  });
});

describe('the machine', () => {
  test(
    'reboots into config after an update of the loader from a zip, whose checksums are right',
    async () => {
      const version = '26.9.0\n';
      const put = async (sums: string) => {
        const zip = storedZip({ RR_VERSION: version, sha256sum: sums });
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
      expect((await box.run('cat /proc/cmdline')).stdout).toContain('IWANTTOCHANGETHECONFIG');
    },
    boots,
  );

  test(
    'reboots in the middle of a build, into what is not armed, and with another password',
    async () => {
      await rr.password('other');
      await rr.fault('reboot');
      await rrMenu('make', 60_000).catch(() => {});
      await guest.off();
      await rr.fault();
      // The kernel and the ramdisk are gone, and with them the entries of DSM: `config` is the first one.
      expect(await rr.booted(boots)).toBe('rr');
      await expect(login(10_000, { username: 'root', password: 'rr' })).rejects.toThrow();
      (await login(boots, { username: 'root', password: 'other' }))[Symbol.dispose]();
    },
    boots,
  );
});
