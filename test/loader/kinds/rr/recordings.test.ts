/** What the real menu.sh of RR said, and what the product makes of it and of the files that it left. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { LoaderFacts } from '../../../../src/loader/kinds/adapter.ts';
import { OutcomeReader } from '../../../../src/loader/kinds/outcome.ts';
import { rr } from '../../../../src/loader/kinds/rr/index.ts';
import type { LoaderConfig } from '../../../../src/loader/plan/finding.ts';

interface Recording {
  command: string;
  exit: number | null;
  hangs?: true;
  config?: Record<string, readonly [string | null, string | null]>;
  files?: Record<string, string>;
}

const folder = new URL('../../../fixtures/rr/', import.meta.url);
const recordings: Record<string, Recording> = JSON.parse(readFileSync(new URL('index.json', folder), 'utf8'));

/** The step for each function of the menu. */
const steps: Readonly<Record<string, string>> = {
  ...{ modelMenu: 'model', productversMenu: 'dsm_version', make: 'build', cleanCache: 'clean_cache' },
  updateMenu: 'upgrade',
};

/** Codes of those that did not go well. */
const failed: Readonly<Record<string, string>> = {
  ...{ modelMenu_unknown: 'model_not_offered', modelMenu_no_network: 'synology_unreachable' },
  ...{ productversMenu_two_parts: 'version_not_listed', productversMenu_unknown: 'version_not_listed' },
  ...{ productversMenu_unknown_build: 'version_not_listed', productversMenu_not_listed: 'synology_unreachable' },
  ...{ productversMenu_no_network: 'synology_unreachable' },
  ...{ make_no_network: 'no_pat', make_404: 'no_pat', make_breaks: 'no_pat', make_no_extractor: 'no_pat' },
  ...{ make_error_pty: 'no_pat', make_md5: 'bad_pat', make_after_md5: 'bad_pat', make_page: 'bad_pat' },
  ...{ make_bad_tar: 'bad_pat', make_extractor_fails: 'bad_pat', make_no_space: 'no_space' },
  ...{ make_p1_full: 'no_space', make_p2_full: 'no_space' },
  ...{ make_ramdisk: 'ramdisk_not_patched', make_no_lkm: 'ramdisk_not_patched', make_no_addon: 'ramdisk_not_patched' },
  ...{ make_zimage: 'kernel_not_patched', make_no_url: 'no_pat_url', make_config_gone: 'no_pat_url' },
  ...{ no_loader_disk: 'not_initialised' },
  ...{ updateMenu_checksum: 'update_damaged', updateMenu_no_zip: 'update_damaged' },
  ...{ updateMenu_refused: 'update_refused', updateMenu_offline: 'update_unreachable' },
};
/** Nobody runs it so: in German; and a second one, whose dialog wants a terminal. */
const others = /german(?!_language)|^second/;

const wanted: LoaderConfig = {
  ...{ model: 'DS918+', platform: 'ds918p-7.2.1-69057', upgrade: 'full', upgradeZip: '/u.zip', extensions: [] },
  ...{ addons: [], keepIdentity: true },
};
const facts: LoaderFacts = {
  ...{ map: { SataPortMap: '12', DiskIdxMap: '1000' }, deviceTree: false, usbDisks: 1, usbIds: null },
};

/** What the command prints after the menu's words, by what is on the disk then. */
function look(step: string, { command, files = {}, config = {} }: Recording): string {
  const isNew = (file: string) => ['new', 'written'].includes(files[file] ?? '');
  if (step === 'build') {
    // It is there at the begin.
    const built = files['p1/.build'] === 'gone' || !('p1/.build' in files);
    const all = built && isNew('p3/zImage-dsm') && isNew('p3/initrd-dsm');
    return all ? 'The loader is built.\n' : 'The loader is not built.\n';
  }
  if (step === 'model') {
    const set = command.includes(` ${config['model']?.[1] ?? 'DS918+'} `);
    return set ? 'The model is set.\n' : 'The model is not set.\n';
  }
  if (step === 'dsm_version')
    return 'p1/.build' in files || config['productver'] ? 'The version is set.\n' : 'The version is not set.\n';
  return '';
}

const cases = Object.entries(recordings).flatMap(([name, recording]) => {
  const step = steps[/\.\/menu\.sh (\w+)/.exec(recording.command)?.[1] ?? ''];
  return step && !recording.hangs && !others.test(name) ? [{ name, step, recording }] : [];
});

test.each(cases)('$name', ({ name, step, recording }) => {
  const found = rr.plan(wanted, facts).find(each => each.name === step);
  if (!found) throw new Error(`the plan has no step ${step}`);
  const output = `${readFileSync(new URL(`${name}.txt`, folder), 'utf8')}\n${look(step, recording)}`;
  const judge = new OutcomeReader(found, rr.outputs);
  for (const character of output) judge.take(character);
  const outcome = judge.end(recording.exit);
  expect(outcome.ok ? 'ok' : outcome.code, output).toBe(failed[name] ?? 'ok');
});
