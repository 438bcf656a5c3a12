/** What each step's output means: good and bad, whole and character by character. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Outcome, Step } from '../../../../src/loader/adapter.ts';
import { failures } from '../../../../src/loader/kinds/tcrp/failures.ts';
import { tcrp } from '../../../../src/loader/kinds/tcrp/index.ts';
import { Redactor, redact } from '../../../../src/loader/redact.ts';
import { judgeStep } from '../../../contract/recordings.ts';
import * as output from './output.ts';

const steps = tcrp.plan(
  {
    ...{ model: 'DS918+', platform: 'ds918p-7.1.1-42962', upgrade: 'full', keepIdentity: true },
    extensions: ['https://example.org/redpill-virtio/rpext-index.json'],
  },
  { map: { SataPortMap: '12', DiskIdxMap: '1000' }, deviceTree: false, usbDisks: 1, usbIds: null },
);

function one(name: string): Step {
  const step = steps.find(each => each.name === name);
  if (!step) throw new Error(`no step ${name}`);
  return step;
}

/** Whole and character by character, which must be the same. */
function judged(name: string, text: string, exitCode: number | null): Outcome {
  const whole = judgeStep(one(name), text, exitCode);
  const judge = tcrp.judge(one(name));
  for (const character of text) judge.take(character);
  expect(judge.end(exitCode)).toEqual(whole);
  return whole;
}

describe('it worked', () => {
  const already = 'An extension was there already.';
  test.each<[string, string, string, number, string[]]>([
    ['the release', 'version', '0.9.2.9\n', 1, []],
    ['the file', 'save_config', output.userConfig, 0, []],
    ['the upgrade', 'upgrade', output.upgraded, 0, []],
    ['a serial number', 'serialgen', output.serialMade, 0, []],
    ['the stick', 'identifyusb', output.usbFound, 0, []],
    [
      'the stick under emulation',
      'identifyusb',
      'Running on QEMU, If you are using USB shim, VID 0x46f4 and PID 0x0001 should work for you\n',
      ...([0, []] as [number, string[]]),
    ],
    ['the map, with noise of virtio-scsi', 'satamap', output.mapped, 0, []],
    ['the file in place', 'edit_config', 'true\n', 0, []],
    ['an extension', 'extension_1', output.added, 0, []],
    ['an extension, on a terminal', 'extension_1', output.addedTerminal, 0, []],
    ['an extension that was there', 'extension_1', output.alreadyAdded, 1, [already]],
    ['a build', 'build', output.built, 0, [already]],
    ['a build, on a terminal', 'build', output.builtTerminal, 0, [already]],
    ['the home', 'backup', output.saved, 0, []],
    [
      'with a clock that was wrong',
      'backup',
      `ERROR ! System DATE is not correct\n${output.saved}`,
      ...([0, ["The guest's clock was wrong; the loader has tried to set it."]] as [number, string[]]),
    ],
  ])('%s', (_, name, text, exitCode, notes) => {
    expect(judged(name, text, exitCode)).toEqual({ ok: true, notes });
  });

  test.each([
    [
      '[-] Recipe file for extension misc platform ds918p_42962 is logically invalid - failed to download',
      'did not come whole',
    ],
    ['No adequate space on TCRP loader partition /mnt/sda3 to cache pat file', 'not kept in'],
  ])('what a build says of itself is never lost: %s', (line, words) => {
    expect(judged('build', `${output.buildBegins}${line}\n${output.buildEnds}`, 0)).toEqual({
      ok: true,
      notes: [expect.stringContaining(words)],
    });
  });

  test('satamap may find bad ports: its map is not the one in use', () => {
    const text = `Bad ports: 3\nWARNING: Bad ports are mapped. The DSM installation will fail!\n${output.mapped}`;
    expect(judged('satamap', text, 0)).toMatchObject({ ok: true, notes: [expect.stringContaining('satamap found')] });
  });
});

describe('it says 0, and did not work', () => {
  const nothing = output.serialMade.slice(0, 0);
  test.each([
    ['build', output.unmounted, 'mount_failed'],
    ['build', `${output.buildBegins}Could not find friend files, exiting\n`, 'no_friend'],
    ['build', `${output.buildBegins}gzip: stdout: No space left on device\n${output.buildEnds}`, 'no_space'],
    ['build', `${output.buildBegins}checksum ERROR !${output.buildEnds}`, 'checksum'],
    ['build', `${output.vars}OK, updating, please re-run after updating\n`, 'self_updated'],
    ['build', output.vars, 'not_proven'],
    ['build', output.built.replaceAll(/Command Line : .*/g, 'Command Line : '), 'not_proven'],
    ['build', output.built.replace(/Saving current user_config.*/s, ''), 'not_proven'],
    [
      'serialgen',
      'Error : DS1+ is not an available model for serial number generation. \nAvailable Models : DS918+',
      'unknown_model',
    ],
    ['identifyusb', 'Machine is VIRTUAL Hypervisor=KVM\nSorry, no usb disk could be identified\n', 'no_usb_disk'],
    ['backup', `${output.saved}Error: Couldn't backup files\n`, 'home_not_saved'],
    ['upgrade', output.upgraded.replace(/OK, keeping.*/s, ''), 'not_proven'],
    ['check_upgrade', '<html>\nThe upgrade is not whole.\n', 'upgrade_not_whole'],
    ['check_upgrade', nothing, 'not_proven'],
    ['upgrade', `fatal: repository 'https://github.com/x.git/' not found\n${output.upgraded}`, 'git_failed'],
    ['backup', 'Should i update the sda with your current files [Yy/Nn]OK, keeping last status\n', 'not_proven'],
    ['version', nothing, 'not_proven'],
    ['edit_config', nothing, 'not_proven'],
  ])('%s', (name, text, code) => {
    expect(judged(name, text, 0)).toMatchObject({ ok: false, code });
  });
});

describe('it says so', () => {
  test.each([
    ['build', output.noRecipe, 99, 'no_recipe'],
    ['build', 'Error : Platform not found \nUsage: ./rploader.sh <Action> …', 99, 'platform_not_found'],
    ['build', `${output.vars}Error: No internet found, or github is not accessible\n`, 99, 'no_internet'],
    ['build', 'Checking user_config.json : Error : Problem found in user_config.json\n', 99, 'bad_config'],
    ['build', 'Module does not contain platorm information for ds918p_42962\n', 99, 'no_module'],
    [
      'build',
      'No adequate space on /mnt/sda3/auxfiles to download file into cache folder, clean up the space and restart\n',
      ...([99, 'cache_full'] as const),
    ],
    ['build', 'Failed to download PAT file https://x/DSM.pat from the internet\n', 99, 'no_pat'],
    ['build', 'Could not determine if file x.pat is encrypted or not, maybe corrupted\n', 99, 'bad_pat'],
    ['build', 'config file, os sha256 verify FAILED, check /home/tc/x.json\n', 99, 'bad_pat'],
    ['build', 'No config file found, please use the proper repo, clean and download again\n', 99, 'no_build_config'],
    ['build', "[!] There doesn't seem to be a config for DS918+ platform running 7.9\n", 1, 'no_build_config'],
    ['build', "[!] Some tools weren't available - install them first", 1, 'no_tools'],
    ['build', '[!] One of the patches - /home/tc/a.patch - failed to apply', 1, 'patch_failed'],
    ['build', '[!] Checksum mismatch - expected a but computed b', 1, 'checksum'],
    ['build', '[!] Failed to attach loader.img to a loop device', 1, 'no_loop_device'],
    ['build', 'FAILED : Loader creation failed check the output for any errors\n', 99, 'build_failed'],
    ['extension_1', '[!] Failed to download https://x to /home/tc/x*** Process will exit ***', 1, 'download_failed'],
    ['extension_1', '[!] The index file for a extension is invalid *** Process will exit ***', 1, 'bad_extension'],
    ['extension_1', 'Something new', 1, 'exit_code'],
    ['version', './rploader.sh: not found', 127, 'no_program'],
    ['build', output.built, 1, 'exit_code'],
  ])('%s: %s', (name, text, exitCode, code) => {
    expect(judged(name, text, exitCode)).toMatchObject({ ok: false, code });
  });

  test('it ended without saying anything', () => {
    expect(judged('build', output.built, null)).toMatchObject({ ok: false, code: 'no_exit_code' });
  });

  test('which extension has no recipe, where it says so', () => {
    expect(judged('build', output.noRecipe, 99)).toMatchObject({
      message: 'The extension pocopico.virtio has no recipe for this build.',
    });
    expect(judged('build', 'the extension index has no recipe for x', 99)).toMatchObject({
      message: 'An extension has no recipe for this build.',
    });
  });
});

test('an extension that the build adds once more is no excuse for its failure', () => {
  const text = output.alreadyAdded + output.noRecipe;
  expect(judged('build', text, 99)).toMatchObject({ ok: false, code: 'no_recipe' });
});

describe('a build that ends with 0 and every proof, and says that a part of it failed', () => {
  test.each([
    ['on a line of 400 characters', `[!] ${'x'.repeat(400)}\n`, 'part_failed'],
    ['on a last line without an end', '[!] It went wrong', 'part_failed'],
    ['of git, on a long line', `fatal: unable to access '${'x'.repeat(300)}'\n`, 'git_failed'],
    ['of git, without an end', 'fatal: the remote end hung up', 'git_failed'],
    ['of a disk', "cp: error writing '/mnt/sdc1/rd.gz': Input/output error\n", 'disk_failed'],
    ['of a disk that went read-only', "rm: can't remove '/mnt/sdc1/rd.gz': Read-only file system\n", 'disk_failed'],
    [
      'of a program that was killed',
      './rploader.sh: line 1408:  4711 Killed                  xz -9\n',
      'out_of_memory',
    ],
    ['of a program without memory', 'fork: Cannot allocate memory\n', 'out_of_memory'],
  ])('%s', (_, said, code) => {
    expect(judged('build', output.built + said, 0)).toMatchObject({ ok: false, code });
  });

  test('is told without the end of its line', () => {
    expect(judged('build', `${output.built}[!] It went wrong\r\n`, 0)).toMatchObject({
      message: 'A part of it failed: It went wrong.',
    });
  });
});

test('every failure is told in whole sentences', () => {
  for (const { message, advice, code } of failures) {
    expect(message).toMatch(/^[A-Z].*\.$/);
    if (advice !== null) expect(advice).toMatch(/^[A-Z].*\.$/);
    expect(code).toMatch(/^[a-z_]+$/);
  }
});

test('whatever is said, and in whatever pieces: the same', () => {
  const parts = [output.built, output.noRecipe, output.unmounted, output.alreadyAdded, output.upgraded].flatMap(text =>
    text.split(/(?<=[ \n])/),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...steps),
      fc.array(fc.oneof(fc.constantFrom(...parts), fc.string())),
      fc.constantFrom(0, 1, 99, null),
      (step, pieces, exitCode) => {
        const judge = tcrp.judge(step);
        for (const piece of pieces) judge.take(piece);
        expect(judge.end(exitCode)).toEqual(judgeStep(step, pieces.join(''), exitCode));
      },
    ),
  );
});

test('a long build takes no more memory, and what was said at its beginning counts', () => {
  const judge = tcrp.judge(one('build'));
  judge.take('No space left on device');
  for (let line = 0; line < 20_000; line++) judge.take('x'.repeat(100));
  judge.take(output.built);
  expect(judge.end(0)).toMatchObject({ code: 'no_space' });
});

describe('nothing that is said gives away who it is', () => {
  const all = Object.entries(output).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  test.each(all)('%s', (_, text) => {
    const redactor = new Redactor();
    let told = '';
    for (const character of text) told += redactor.push(character);
    told += redactor.end();
    expect(told).toBe(redact(text));
    for (const secret of output.secrets) expect(told).not.toContain(secret);
    // And still says how it went.
    for (const { code, pattern } of failures)
      expect({ code, found: pattern.test(told) }).toEqual({ code, found: pattern.test(text) });
  });
});
