/** What a step's output means, beside what the recordings of real ones prove (rploader-recordings.test.ts). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/loader/kinds/adapter.ts';
import { OutcomeReader } from '../../../src/loader/kinds/outcome.ts';
import { failures } from '../../../src/loader/kinds/tcrp/failures.ts';
import { tcrp } from '../../../src/loader/kinds/tcrp/index.ts';
import { Redactor, redact } from '../../../src/loader/redact.ts';
import { judgeStep, recording, recordings, stepOf } from '../../contract/recordings.ts';

const said = (name: string) => recording('0.9.2.9', name).output;
const built = said('build');
const saved = said('backup');

/** Whole and character by character, which must be the same. */
function judged(name: string, text: string, exitCode: number | null): Outcome {
  const whole = judgeStep(stepOf(name), text, exitCode);
  const judge = new OutcomeReader(stepOf(name), tcrp.outputs);
  for (const character of text) judge.take(character);
  expect(judge.end(exitCode)).toEqual(whole);
  return whole;
}

describe('it worked', () => {
  const colours = (text: string) => text.replaceAll(/\[([#!-])\] /g, '\u001b[1;34m[$1]\u001b[0m ');
  const already = 'An extension was there already.';
  test.each<[string, string, string, number, string[]]>([
    ['the stick under emulation', 'identifyusb', 'Running on QEMU, VID 0x46f4 and PID 0x0001 should work\n', 0, []],
    ['an extension that was there', 'extension_1', said('extension_again'), 1, [already]],
    ['an extension, on a terminal', 'extension_1', colours(said('extension_1')), 0, []],
    ['a build, on a terminal', 'build', colours(built), 0, []],
    [
      ...(['with a clock that was wrong', 'backup', `ERROR ! System DATE is not correct\n${saved}`, 0] as const),
      ["The guest's clock was wrong; the loader has tried to set it."],
    ],
    [
      ...(['with bad ports', 'satamap', `WARNING: Bad ports are mapped.\n${said('satamap')}`, 0] as const),
      ['satamap found ports without a device behind them; its map is not the one that is used.'],
    ],
  ])('%s', (_, name, text, exitCode, notes) => {
    expect(judged(name, text, exitCode)).toEqual({ ok: true, notes });
  });

  test.each([
    ['[-] Recipe file for extension misc platform ds918p_42962 is logically invalid - failed', 'did not come whole'],
    ['No adequate space on TCRP loader partition /mnt/sda3 to cache pat file', 'not kept in'],
  ])('what a build says of itself is never lost: %s', (line, words) => {
    expect(judged('build', `${line}\n${built}`, 0)).toMatchObject({
      ok: true,
      notes: expect.arrayContaining([expect.stringContaining(words)]),
    });
  });
});

describe('it says 0, and did not work', () => {
  test.each([
    ['build', 'OK, updating, please re-run after updating\n', 'self_updated'],
    ['build', built.replaceAll(/Command Line : .*/g, 'Command Line : '), 'not_proven'],
    ['build', built.replace(/Saving current user_config.*/s, ''), 'not_proven'],
    ['build', `gzip: stdout: No space left on device\n${built}`, 'no_space'],
    ['build', `checksum ERROR !${built}`, 'checksum'],
    ['upgrade', said('upgrade').replace(/OK, keeping.*/s, ''), 'not_proven'],
    ['upgrade', `fatal: repository 'https://github.com/x.git/' not found\n${said('upgrade')}`, 'git_failed'],
    ['check_upgrade', '', 'not_proven'],
    ['backup', 'Should i update the sda with your current files [Yy/Nn]OK, keeping last status\n', 'not_proven'],
    ['version', '', 'not_proven'],
    ['edit_config', '', 'not_proven'],
    ['build', `${built}[!] ${'x'.repeat(400)}\n`, 'part_failed'],
    ['build', `${built}fatal: unable to access '${'x'.repeat(300)}'\n`, 'git_failed'],
    ['build', `${built}fatal: the remote end hung up`, 'git_failed'],
    ['build', `${built}cp: error writing '/mnt/sdc1/rd.gz': Input/output error\n`, 'disk_failed'],
    ['build', `${built}rm: can't remove '/mnt/sdc1/rd.gz': Read-only file system\n`, 'disk_failed'],
    ['build', `${built}./rploader.sh: line 1408:  4711 Killed                  xz -9\n`, 'out_of_memory'],
    ['build', `${built}fork: Cannot allocate memory\n`, 'out_of_memory'],
  ])('%s: %#', (name, text, code) => {
    expect(judged(name, text, 0)).toMatchObject({ ok: false, code });
  });

  test.each(['[!] It went wrong\r\n', '[!] It went wrong'])('a part is told without the end of its line: %j', line => {
    expect(judged('build', built + line, 0)).toMatchObject({ message: 'A part of it failed: It went wrong.' });
  });
});

describe('it says so', () => {
  test.each<[string, string, number | null, string]>([
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
    ['extension_1', 'Something new', 1, 'exit_code'],
    ['version', './rploader.sh: not found', 127, 'no_program'],
    ['build', built, 1, 'exit_code'],
    ['build', built, null, 'no_exit_code'],
  ])('%s: %#', (name, text, exitCode, code) => {
    expect(judged(name, text, exitCode)).toMatchObject({ ok: false, code });
  });

  test.each([
    [said('no_recipe'), /^The extension \S+ has no recipe for this build\.$/],
    ['the extension index has no recipe for x', /^An extension has no recipe for this build\.$/],
  ])('which extension has no recipe, where it says so: %#', (text, message) => {
    expect(judged('build', text, 99)).toMatchObject({ message: expect.stringMatching(message) });
  });

  test('an extension that the build adds once more is no excuse for its failure', () => {
    expect(judged('build', said('extension_again') + said('no_recipe'), 99)).toMatchObject({ code: 'no_recipe' });
  });
});

test('every failure is told in whole sentences', () => {
  for (const { message, advice, code } of failures) {
    expect([message, advice ?? 'None.']).toEqual([
      expect.stringMatching(/^[A-Z].*\.$/),
      expect.stringMatching(/^[A-Z].*\.$/),
    ]);
    expect(code).toMatch(/^[a-z_]+$/);
  }
});

test('whatever is said, and in whatever pieces: the same', () => {
  const parts = [built, said('no_recipe'), said('mount_fails'), said('upgrade')].flatMap(text =>
    text.split(/(?<=[ \n])/),
  );
  const steps = ['build', 'upgrade', 'extension_1', 'version'].map(name => stepOf(name));
  fc.assert(
    fc.property(
      fc.constantFrom(...steps),
      fc.array(fc.oneof(fc.constantFrom(...parts), fc.string())),
      fc.constantFrom(0, 1, 99, null),
      (step, pieces, exitCode) => {
        const judge = new OutcomeReader(step, tcrp.outputs);
        for (const piece of pieces) judge.take(piece);
        expect(judge.end(exitCode)).toEqual(judgeStep(step, pieces.join(''), exitCode));
      },
    ),
  );
});

test('a long build takes no more memory, and what was said at its beginning counts', () => {
  const judge = new OutcomeReader(stepOf('build'), tcrp.outputs);
  judge.take('No space left on device');
  for (let line = 0; line < 20_000; line++) judge.take('x'.repeat(100));
  judge.take(built);
  expect(judge.end(0)).toMatchObject({ code: 'no_space' });
});

test.each(recordings('0.9.2.9'))(
  '$name gives no serial number and no MAC away, and still says how it went',
  ({ output }) => {
    const redactor = new Redactor();
    let told = '';
    for (const character of output) told += redactor.push(character);
    told += redactor.end();
    expect(told).toBe(redact(output));
    expect(told).not.toMatch(/1780PDN0\d{5}|2030SBRJZMK5B|001132ABCDEF|00113240AA40|525400D53001/i);
    const found = (text: string) => failures.filter(({ pattern }) => pattern.test(text)).map(({ code }) => code);
    expect(found(told)).toEqual(found(output));
  },
);
