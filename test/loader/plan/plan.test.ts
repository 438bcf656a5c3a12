/** The plan of a rebuild as people and programs read it. */
import { describe, expect, test } from 'vitest';
import { type PlanOptions, planRebuild } from '../../../src/loader/plan/plan.ts';
import { fold, planText, shellWords } from '../../../src/loader/plan/plan-text.ts';
import type { LoaderSettings } from '../../../src/model/loader-settings.ts';
import { rebuildWorld } from '../rebuild-world.ts';

const shutdown: PlanOptions['shutdown'] = {
  ...{ method: 'acpi', timeout: 300_000, resendEvery: 60_000, maxPresses: 3, onTimeout: 'report' },
};

async function planned(
  more: Partial<LoaderSettings> = {},
  changes: Partial<Omit<PlanOptions, 'settings' | 'inspection'>> = {},
  dsm?: { model: string; version: string },
) {
  await using it = await rebuildWorld();
  const inspection = await it.inspect({ settings: more, ...(dsm && { dsm }) });
  const settings = { ...it.settings, ...more };
  const plan = planRebuild({ key: 'DSM', label: 'DSM VM', running: true, settings, inspection, shutdown, ...changes });
  const lines = planText(plan).map(line => line.replaceAll(it.folder, '/srv'));
  return { plan, lines, text: lines.join('\n') };
}

test('the seed, as text', async () => {
  const { text } = await planned({ extensions: [] }, {}, { model: 'DS918+', version: '7.1.1-42962' });
  const free = text.replaceAll(/\d+ (MiB|GiB) are free/g, '9 GiB are free').replace(/\d MiB at most/, '2 MiB at most');
  expect(free).toMatchInlineSnapshot(`
    "DSM VM (DSM): a rebuild of its loader for DS918+ 7.1.1-42962. A dry run: nothing is changed.

      Loader     TinyCore RedPill, ds918p-7.1.1-42962
      Image      /srv/images/loader.img, 4 MiB
      Boot menu  starts RedPill DS918+ v7.1.1-42962 (USB, Verbose)

    It can be done, with one warning.
      WARNING  No acpid extension is configured: the new DSM will not heed the power button, and cannot
               be shut down.
               → Add https://github.com/pocopico/tcrp-addons/raw/main/acpid/rpext-index.json to
                 \`extensions\`.
      note     The upgrade replaces user_config.json: serial number and MACs are put back, other changes
               in it are lost.

    What would be done

      1  Shut DSM down
         Its power button is pressed (ACPI), again every minute, 3 times in all; it has 5 minutes to be
         off.
         If it still runs then, the rebuild ends there, with the VM running and the loader untouched.

      2  Back up the loader's image
         to    /srv/data/loader-backups/DSM-<time>.img
         size  2 MiB at most, 9 GiB are free
         The backup is read again and compared before anything is changed; the newest 5 are kept.

      3  Set the boot menu to the image builder
         from  RedPill DS918+ v7.1.1-42962 (USB, Verbose)
         to    Tiny Core Image Build

      4  Start the VM
         The image builder comes up by itself.

      5  Log in to the image builder
         By SSH as tc at the address that the VM has, port 22; never where DSM answers.

      6  Set the boot menu back to DSM
         from  Tiny Core Image Build
         to    RedPill DS918+ v7.1.1-42962 (USB, Verbose)
         From now on any restart comes home.

      7  Build the loader for DS918+ 7.1.1-42962
          1  Look which release the image has
             $ ./rploader.sh version
          2  Save user_config.json
             $ cat user_config.json
          3  Keep the old files
             $ rm -rf old/before-upgrade; mkdir -p old/before-upgrade && cp rploader.sh *.json \\
                 old/before-upgrade && echo '# old' >>rploader.sh && echo kept
          4  Upgrade the loader
             $ cp rploader.sh old/rploader.sh && old/rploader.sh fullupgrade
             ? Should i update the … with your current files [Yy/Nn] → n
          5  Check what came
             $ if head -n 1 rploader.sh | grep '^#!' && ! grep -x '# old' rploader.sh && ./rploader.sh \\
                 version | grep -x '[0-9][0-9.]*' && echo custom_config.json custom_config_jun.json \\
                 global_config.json rpext-index.json user_config.json | xargs -n 1 jq -e . >/dev/null; \\
                 then echo 'The upgrade is whole.'; else sudo cp old/before-upgrade/* .; echo \\
                 'The upgrade is not whole.'; fi
          6  Complete the upgrade (only if the image had release 0.9, whose upgrade fetches only a part
             of 0.10)
             $ cp rploader.sh old/rploader.sh && old/rploader.sh fullupgrade
             ? Should i update the … with your current files [Yy/Nn] → n
          7  Check what came (only if the image had release 0.9, whose upgrade fetches only a part of
             0.10)
             $ if head -n 1 rploader.sh | grep '^#!' && ! grep -x '# old' rploader.sh && ./rploader.sh \\
                 version | grep -x '[0-9][0-9.]*' && echo custom_config.json custom_config_jun.json \\
                 global_config.json rpext-index.json user_config.json | xargs -n 1 jq -e . >/dev/null; \\
                 then echo 'The upgrade is whole.'; else sudo cp old/before-upgrade/* .; echo \\
                 'The upgrade is not whole.'; fi
          8  Make a serial number (only if user_config.json has no serial number and MAC to be kept)
             $ ./rploader.sh serialgen DS918+ realmac
             ? Should i update the user_config.json with these values ? [Yy/Nn] → y
          9  Find the loader's USB stick
             $ ./rploader.sh identifyusb
             ? Should i update the user_config.json with these values ? [Yy/Nn] → y
         10  Map the SATA ports
             $ ./rploader.sh satamap
             ? Override # of ports or ENTER to accept … → ENTER (up to 8 times)
             ? Should i update the user_config.json with these values ? [Yy/Nn] → y
         11  Read user_config.json
             $ cat user_config.json
         12  Write user_config.json
             $ cat >user_config.json.new && test -s user_config.json.new && jq -e \\
                 '.extra_cmdline.SataPortMap == "12" and .extra_cmdline.DiskIdxMap == "1000"' \\
                 user_config.json.new && mv -f user_config.json.new user_config.json
             SataPortMap  12
             DiskIdxMap   1000
             · The SATA controller 0 at 0000:00:1f.2 is unused: it gets one port behind the last slot.
             · The last digit of SataPortMap means virtio-scsi; only SATA controllers are known to heed
               it, so this is inert.
             · Serial number and MACs stay what they are.
         13  Check the extractor of DSM's archive
             $ for d in /mnt/sd?3/auxfiles/patch-extractor; do [ -d "$d" ] || continue; \\
                 LD_LIBRARY_PATH="$d/lib" "$d/synoarchive.nano" >/dev/null 2>&1; if [ $? -ne 3 ]; then \\
                 sudo rm -rf "$d" && echo "removed $d, which was broken"; fi; done; echo checked
         14  Build the loader
             $ ./rploader.sh build ds918p-7.1.1-42962
             ? There is a newer version of the script on the repo should we use that ? [yY/nN] → n
             ? Found custom redpill module, do you want to use this instead ? [yY/nN] → n
         15  Save the loader's home
             $ ./rploader.sh backup
             ? Should i update the … with your current files [Yy/Nn] → y

      8  Check that the new loader is in place
         The image builder is powered off, and the boot menu read: it must be for DS918+ 7.1.1-42962,
         and start DSM.

      9  Start DSM from the new loader

     10  Wait for DSM
         The rebuild has succeeded when DSM answers again.
         DSM 7.1.1-42962 is installed: its installer would count as a failure.

    If it fails
      As long as only the boot menu was touched it is set back, and DSM is started again.
      After that it stays as it is, and \`rollback\` is offered: the VM is turned off, the image restored
      from its backup and compared, and DSM started from it."
  `);
});

test('every line fits a terminal, but for a URL', async () => {
  const { lines } = await planned();
  expect(lines.filter(line => line.length > 100 && !line.includes('https://'))).toEqual([]);
  expect(lines.filter(line => line !== line.trimEnd())).toEqual([]);
});

test('neither password nor MAC nor serial number', async () => {
  const { plan, text } = await planned({}, {}, { model: 'DS918+', version: '7.1.1-42962' });
  for (const shown of [text, JSON.stringify(plan)]) {
    expect(shown).not.toMatch(/hush-hush|P@ssw0rd|xx:xx|([0-9a-f]{2}:){5}/);
  }
});

describe('what differs', () => {
  test('a VM that is off is not shut down', async () => {
    const { plan, text } = await planned({}, { running: false });
    expect(plan.phases.map(({ phase }) => phase)).not.toContain('shutting_down');
    expect(text).toContain('The VM is off already.');
  });

  test.each([
    [{ method: 'agent' }, 'Its guest agent is asked, again'],
    [{ method: 'auto', maxPresses: 1 }, 'or its power button pressed; it has 5 minutes to be off'],
    [{ timeout: 90_000 }, 'it has 90 seconds to be off'],
    [{ onTimeout: 'force_off' }, 'its power is cut'],
  ] as const)('%j', async (more, expected) => {
    const { plan } = await planned({}, { shutdown: { ...shutdown, ...more } });
    expect(plan.phases[0]?.does.join(' ')).toContain(expected);
  });

  test('another DSM than the one that is installed', async () => {
    const same = await planned({}, {}, { model: 'DS918+', version: '7.1.1-42962' });
    const ends = ({ plan }: typeof same) => plan.phases.at(-1)?.does.join(' ');
    expect(ends(same)).toContain('would count as a failure');
    const other = await planned({}, {}, { model: 'DS918+', version: '7.1.1-42951' });
    expect(ends(other)).toContain('have the archive of DS918+, 7.1.1-42962, at hand');
  });

  test('a rollback by itself', async () => {
    expect((await planned({ onFailure: 'auto' })).text).toContain('comes back by itself');
    expect((await planned()).text).toContain('`rollback` is offered');
  });

  test('no plan: what was found, and nothing of what would be done', async () => {
    const { plan, text } = await planned({ platform: 'DS918+' });
    expect(plan).toMatchObject({ possible: false, phases: [] });
    expect(text).toContain('It cannot be done: one thing is in its way.');
    expect(text).not.toContain('What would be done');
  });
});

describe('lines', () => {
  test('are folded between words', () => {
    const long = 'a'.repeat(60);
    expect(fold(`${long} ${long} b`, '- ', '  ')).toEqual([`- ${long}`, `  ${long} b`]);
    expect(fold('', '- ')).toEqual(['-']);
    expect(fold('a'.repeat(200))).toEqual(['a'.repeat(200)]);
    expect(fold([long, long], '$ ', '    ', ' \\')).toEqual([`$ ${long} \\`, `    ${long}`]);
  });

  test('of shell stay whole within quotes', () => {
    expect(shellWords(`test -s x && jq -e '.a == "b c"' it's' y`)).toEqual([
      ...['test', '-s', 'x', '&&', 'jq', '-e', `'.a == "b c"'`, `it's'`, 'y'],
    ]);
  });
});
