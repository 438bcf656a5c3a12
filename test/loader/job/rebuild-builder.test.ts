/** What the image builder's programs make of it, by kind of loader: told, and never at the cost of the image. */
import { describe, expect, test } from 'vitest';
import type { LoaderKind } from '../../../src/loader/kinds/adapter.ts';
import type { BoxFault } from '../../fakes/box/faults.ts';
import { impatient } from './loader-tuning.ts';
import { kinds, LoaderWorld, type LoaderWorldOptions, triesAll } from './loader-world.ts';

const extensions = ['https://github.com/pocopico/redpill-load/raw/develop/redpill-virtio/rpext-index.json'];

/** A fault, and the code of the rebuild that it ends. */
type Row = [fault: BoxFault, code: string, options: LoaderWorldOptions];

/** What a fault's end is waited for. */
const soon: Partial<Record<BoxFault, LoaderWorldOptions>> = {
  silence: { hasty: true },
  'pat-stalls': { hasty: true },
  'hang-poweroff': { times: { powerOff: 1_000 }, vm: { shutdown: impatient } },
  'upgrade-page': { loader: { upgrade: 'full' } },
};

/** With RR, an archive is fetched only for another DSM. */
const other: LoaderWorldOptions = { loader: { platform: 'ds918p-7.2.1-69057' } };
const german: LoaderWorldOptions = { image: { locale: 'de_DE.UTF-8' } };

const more: Row[] = [
  ['no-internet', 'no_pat', other],
  ['pat-breaks', 'no_pat', other],
  ['pat-stalls', 'ssh_silent', other],
  ['pat-md5', 'bad_pat', other],
  ['pat-corrupt', 'bad_pat', other],
  ['pat-invalid', 'bad_pat', other],
  ['no-extractor', 'no_pat', other],
  ['no-space', 'no_space', {}],
  ['second-partition-full', 'no_space', other],
  ['ramdisk-not-patched', 'ramdisk_not_patched', {}],
  ['hang-poweroff', 'timed_out', {}],
];
const rows: Readonly<Record<LoaderKind, Row[]>> = {
  tcrp: [
    ['no-internet', 'no_internet', {}],
    ['no-space', 'cache_full', {}],
    ['first-partition-full', 'no_space', {}],
    ['no-recipe', 'no_recipe', {}],
    ['platform-not-found', 'platform_not_found', {}],
    ['mount-failure', 'mount_failed', {}],
    ['late-failure', 'patch_failed', {}],
    ['ext-unreachable', 'no_extension', {}],
    ['empty-config', 'not_proven', {}],
    ['no-usb', 'no_usb_disk', {}],
    ['backup-failure', 'home_not_saved', {}],
    ['silence', 'ssh_silent', {}],
    ['drop', 'ssh_connection_lost', {}],
    ['reboot', 'ssh_connection_lost', {}],
    ['unknown-prompt', 'ssh_unknown_prompt', {}],
    ['hang-poweroff', 'timed_out', {}],
    ['half-extension', 'half_extension', {}],
    ['extractor-page', 'no_extractor', {}],
    ['no-config', 'no_build_config', {}],
    ['odd-end', 'exit_code', {}],
    // An error page comes instead of it, and is not saved.
    ['upgrade-page', 'upgrade_not_whole', {}],
  ],
  rr: [
    ['no-synology', 'synology_unreachable', other],
    ['first-partition-full', 'not_written', {}],
    ['empty-config', 'not_proven', {}],
    ['zimage-not-patched', 'kernel_not_patched', german],
    ['stale-success', 'not_built', {}],
    ['odd-end', 'rr_error', {}],
    ['silence', 'ssh_silent', {}],
    ['drop', 'ssh_connection_lost', {}],
    ['reboot', 'ssh_connection_lost', {}],
    ['unknown-prompt', 'ssh_unknown_prompt', {}],
    // What RR's own words make of these is tested with recordings of them.
    ...(triesAll ? more : []),
  ],
};

/** What the answer itself says: of an end that nobody knows, the last lines, without serial number and MAC. */
const says: Readonly<Record<LoaderKind, Partial<Record<BoxFault, RegExp>>>> = {
  tcrp: {
    'unknown-prompt': /“Do you want to migrate your settings to the new format \? \[yY\/nN\] :”/,
    'odd-end':
      /^"Build the loader" ended with exit code 7\. It said at last:\n(.*\n){9}Nobody has ever said this: sn=\[serial\] mac1=\[mac\]\n.*$/,
  },
  rr: {
    'unknown-prompt': /“Do you want to keep the old kernel\? \[y\/N\]”/,
    'odd-end': /^RR reports an error: Nobody has ever said this: sn=\[serial\] mac1=\[mac\]/,
  },
};

describe.each(kinds)('what %s makes of it', kind => {
  test.concurrent.each(rows[kind])('%s: %s, and the old loader can be had back', async (fault, code, options) => {
    const loader = { ...(kind === 'tcrp' && { extensions }), ...soon[fault]?.loader, ...options?.loader };
    await using world = await LoaderWorld.start({ kind, faults: [fault], ...soon[fault], ...options, loader });
    const { answer, loader: shown } = await world.ask('rebuild');
    expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed', message: shown.error });
    expect(shown).toMatchObject({ phase: 'failed', result: 'failed', code, rollback: true });
    expect(shown.error).toMatch(says[kind][fault] ?? /./);
    world.told(shown);
    await world.unharmed(shown);
  });
});

test.concurrent.each<BoxFault>(['self-update', 'custom-module', 'emulated', 'second-controller'])(
  '%s: answered by name, and built all the same',
  async fault => {
    await using world = await LoaderWorld.start({ faults: [fault], loader: { extensions } });
    expect(await world.ask('rebuild')).toMatchObject({
      answer: { status: 'succeeded', code: 'done' },
      loader: { phase: 'done', result: 'succeeded', rollback: false },
    });
    expect(world.machine.menu.build).toBe(1);
  },
);
