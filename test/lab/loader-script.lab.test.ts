/** The stand-in loader's script: that it says, asks and ends as TCRP's does, with every fault. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/ssh/connect.ts';
import { rploaderContract } from '../contract/rploader.ts';
import { type Box, type Ended, login, type RunOptions } from './box.ts';
import { address, guest, inLab } from './lab.ts';
import { type LoaderFault, loader } from './loader.ts';
import { extension, good, platform, questions } from './rploader.ts';

const { update, save } = questions;

/** In milliseconds, on a machine that has other things to do. */
const boots = 300_000;

let box: Box;
let original: AsyncDisposable;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  original = await loader.keep();
  await loader.arm('builder');
  await enter();
}, boots);

afterAll(async () => {
  box?.[Symbol.dispose]();
  if (inLab()) await guest.off();
  await original?.[Symbol.asyncDispose]();
});

const rploader = (args: string, options?: RunOptions): Promise<Ended> => box.run(`./rploader.sh ${args}`, options);

async function settings(): Promise<unknown> {
  return JSON.parse((await box.run('cat user_config.json')).stdout);
}

async function enter(): Promise<void> {
  expect(await loader.booted(boots)).toBe('builder');
  box = await login();
}

describe('rploader.sh', () => {
  test.each(['', 'help', 'listplatforms', 'info'])('%s lists the platforms and ends with 99', async action => {
    const { code, stdout } = await rploader(action);
    expect(code).toBe(99);
    expect(stdout).toContain('Available platform versions:');
    expect(stdout.split('\n')).toContain(platform);
    expect(stdout.split('\n')).not.toContain('apollolake-7.1.1-42962');
  });

  test('version says which one it is', async () => {
    expect(await rploader('version')).toMatchObject({ code: 1, stdout: '0.9.2.9\n' });
  });

  test.each(['serialgen DS918+ realmac', 'identifyusb', 'satamap', 'backup'])(
    '%s with nobody to answer says the same, ends with 0 and changes nothing',
    async command => {
      const before = await settings();
      const { code, stdout } = await rploader(command, { closed: true });
      expect(code).toBe(0);
      expect(stdout).toMatch(/\[Yy\/Nn\]/);
      expect(stdout).toMatch(/OK (remember to update manually|, keeping)|OK, keeping last status/);
      expect(await settings()).toEqual(before);
    },
  );

  test.each([
    [
      'serialgen DS1234+',
      0,
      'Error : DS1234+ is not an available model for serial number generation. \nAvailable Models :',
    ],
    ['serialgen', 99, 'Error : Number of arguments'],
    ['build apollolake-7.1.1-42962', 99, 'Error : Platform not found \n'],
    ['ext nonsense add x', 99, 'Error : Platform not found \n'],
    [`ext ${platform} add https://example.org/nothing/rpext-index.json`, 1, ''],
  ])('%s ends with %d', async (command, code, words) => {
    const ended = await rploader(command);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toContain(words);
  });

  test('without a terminal the loader sources have no line ends, with one they have colours', async () => {
    const bare = await rploader(`ext ${platform} add ${extension('virtio')}`);
    expect(bare).toMatchObject({ code: 0 });
    expect(bare.stderr).toMatch(/\[#\] Adding new extension from \S+\.\.\. \[OK\]$/);
    expect(bare.stdout).toMatch(/Platforms supported: .*\bds918p_42962\b/);

    const again = await rploader(`ext ${platform} add ${extension('virtio')}`);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('[!] Extension is already added (index exists at /home/tc/redpill-load/');
    expect(again.stderr).toContain('*** Process will exit ***');

    const coloured = await rploader(`ext ${platform} add ${extension('virtio')}`, { pty: true });
    expect(coloured.code).toBe(1);
    expect(coloured.stdout).toMatch(/\[!\] Extension is already added .*\r\n/);
    expect(coloured.stdout).toContain('[1;');
  });
});

describe('a fault', () => {
  afterEach(async () => {
    await loader.fault();
  });

  const texts: [LoaderFault, string, number, string][] = [
    ['no-internet', `build ${platform}`, 99, 'Error: No internet found, or github is not accessible'],
    ['no-internet', `ext ${platform} add ${extension('virtio')}`, 99, 'Error: No internet found'],
    ['ext-unreachable', `ext ${platform} add ${extension('acpid')}`, 1, 'Failed to add'],
    ['no-space', `build ${platform}`, 99, 'No adequate space on'],
    ['no-recipe', `build ${platform}`, 99, 'the extension index has no recipe for ds918p_42962 platform'],
    ['late-failure', `build ${platform}`, 99, 'FAILED : Loader creation failed check the output for any errors'],
    ['mount-failure', `build ${platform}`, 0, 'ERROR: Failed to mount correctly all required partitions'],
    ['first-partition-full', `build ${platform}`, 0, 'No space left on device'],
    ['no-friend', `build ${platform} withfriend`, 0, 'Could not find friend files, exiting'],
    ['no-usb', 'identifyusb', 0, 'Sorry, no usb disk could be identified'],
    ['emulated', 'identifyusb', 0, 'Running on QEMU, If you are using USB shim'],
  ];
  test.each(texts)('%s: %s ends with %d', async (name, command, code, words) => {
    await loader.fault(name);
    const ended = await rploader(command, { closed: true });
    expect(ended.stdout + ended.stderr).toContain(words);
    expect(ended.code).toBe(code);
  });

  test.each([
    ['self-update', 'There is a newer version of the script on the repo should we use that ? [yY/nN]'],
    ['custom-module', 'Found custom redpill module, do you want to use this instead ? [yY/nN] : '],
    ['unknown-prompt', 'Do you want to migrate your settings to the new format ? [yY/nN] : '],
  ] as const)('%s asks in the middle of a build, and no goes on', async (name, question) => {
    await loader.fault(name);
    const { code, stdout } = await rploader(`build ${platform}`, { answers: [[question, 'n']] });
    expect(stdout).toContain(question);
    expect(code).toBe(0);
    expect(stdout.trimEnd().endsWith(good)).toBe(true);
  });

  test('self-update answered with yes ends with 0 and has built nothing', async () => {
    await loader.fault('self-update');
    const { code, stdout } = await rploader(`build ${platform}`, { answers: [['should we use that ?', 'y']] });
    expect(code).toBe(0);
    expect(stdout).not.toContain('Starting loader creation');
  });

  test('second-controller is asked about by satamap', async () => {
    await loader.fault('second-controller');
    const { stdout } = await rploader('satamap', {
      answers: [
        ['to accept <6> ', '4'],
        [update, 'n'],
      ],
    });
    expect(stdout).toContain('SataPortMap=14\nDiskIdxMap=1000\n');
    expect((await rploader('satamap minmap', { closed: true })).stdout).toContain('SataPortMap=16\n');
  });

  test('or a slow machine: every line takes its time', async () => {
    await loader.pace(0.2);
    const began = Date.now();
    const { stdout } = await rploader('satamap', { closed: true });
    expect(Date.now() - began).toBeGreaterThan(200 * (stdout.split('\n').length - 4));
    await loader.pace(0);
  });

  test('backup-failure ends with 0', async () => {
    await loader.fault('backup-failure');
    const { code, stdout } = await rploader('backup', { answers: [[save, 'y']] });
    expect(stdout).toContain("Error: Couldn't backup files");
    expect(code).toBe(0);
  });

  test('empty-config leaves nothing of user_config.json, and a build does not mind', async () => {
    await box.run('cp user_config.json kept.json');
    await loader.fault('empty-config');
    expect((await rploader('identifyusb', { answers: [[update, 'y']] })).code).toBe(0);
    expect((await box.run('wc -c <user_config.json')).stdout.trim()).toBe('0');
    await loader.fault('mount-failure');
    const { code, stdout } = await rploader(`build ${platform}`);
    expect(stdout).toContain('Checking user_config.json : Done');
    expect(stdout).toMatch(/with USB Command Line : $/m);
    expect(code).toBe(0);
    await box.run('mv kept.json user_config.json');
  });

  test('bad JSON in user_config.json is found', async () => {
    await box.run('cp user_config.json kept.json; echo "{" >user_config.json');
    const { code, stdout } = await rploader(`build ${platform}`);
    expect(stdout).toContain('Error : Problem found in user_config.json');
    expect(code).toBe(99);
    await box.run('mv kept.json user_config.json');
  });

  test('silence goes on for ever', async () => {
    await loader.fault('silence');
    await expect(rploader(`build ${platform}`, { deadline: 5_000 })).rejects.toThrow(
      'Removing bundled exts directories',
    );
    await box.run('killall rploader.sh sleep');
  });

  test('drop loses the connection in the middle, and the server comes back', async () => {
    await loader.fault('drop');
    expect(await rploader(`build ${platform}`)).toMatchObject({ code: null });
    await box.closed;
    box = await login();
  });

  test(
    'reboot comes in the middle, and what was not saved is gone',
    async () => {
      await box.run('echo lost >unsaved');
      await loader.fault('reboot');
      expect(await rploader(`build ${platform}`, { deadline: 60_000 })).toMatchObject({ code: null });
      await guest.off();
      await loader.fault();
      await enter();
      expect((await box.run('cat unsaved')).code).not.toBe(0);
    },
    boots,
  );
});

/** The fast tests run the same script as every release; an emulated guest takes its time. */
const ends = ['0.9.2.9', '0.10.0.0'];

rploaderContract(
  "the lab's script",
  async release => {
    await loader.release(release.replace(/[a-z]$/, ''));
    await box.run(
      '[ ! -e kept.json ] || cp kept.json user_config.json; rm -rf redpill-load old; sudo rm -rf /mnt/sdc3/auxfiles/*',
    );
    const login = { host: address.guest, user: 'tc', password: 'P@ssw0rd', hostKeys: null, within: 60_000 };
    const session = await connect(login, AbortSignal.timeout(60_000));
    return {
      session,
      auxfiles: '/mnt/sdc3/auxfiles',
      fault: names => loader.fault(...names),
      async [Symbol.asyncDispose]() {
        await session.close();
        await loader.fault();
        await loader.release('0.9.2.9');
      },
    };
  },
  ends,
);
