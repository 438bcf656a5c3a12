/**
 * What a stand-in for RR's menu.sh and the real one have in common: how it ends, the dialogs that it prints, and what
 * it leaves behind, in files and in user-config.yml. The real one's is in test/fixtures/rr.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RrFault } from '../lab/loader/rr.ts';

export interface Ran {
  /** null: it did not end within its time. */
  code: number | null;
  /** Both streams. */
  output: string;
}

/** A system with the stand-in in it, and a DSM 7.1.1 that is built. */
export interface StandIn extends AsyncDisposable {
  /** In bash, with $CHROOT_PATH before each path; `open`: stdin is a pipe that nobody closes. */
  run(script: string, options?: { open?: boolean; within?: number }): Promise<Ran>;
  /** Those of menu.sh from now on. */
  fault(names: readonly RrFault[]): Promise<void>;
}

interface Case {
  /** Of the recording. */
  name: string;
  /** Before it all is as with a DSM that is built, or with another version chosen; default: as the last one left it. */
  from?: 'built' | 'other';
  faults?: readonly RrFault[];
  /** Shell, run before. */
  before?: string;
  /** Where the stand-in's own words differ. */
  command?: string;
}

interface Recording {
  command: string;
  exit: number | null;
  hangs?: true;
  config?: Record<string, readonly [string | null, string | null]>;
  files?: Record<string, 'new' | 'gone' | 'written'>;
}

const folder = new URL('../fixtures/rr/', import.meta.url);
const recordings: Record<string, Recording> = JSON.parse(readFileSync(new URL('index.json', folder), 'utf8'));

const german = 'echo de_DE.UTF-8 >"$CHROOT_PATH/mnt/p1/.locale"';
const noUrl = write('paturl', '#UPGRADED');
const anySum = write('patsum', '0'.repeat(32));
const elsewhere = write('paturl', 'https://global.synologydownload.com/download/DSM/release/7.2.1/69057-9/DSM.pat');

export const cases: readonly Case[] = [
  { name: 'modelMenu_same', from: 'built' },
  { name: 'modelMenu_other', from: 'built' },
  { name: 'modelMenu_unknown', from: 'built' },
  { name: 'modelMenu_no_network', from: 'built', faults: ['no-synology'] },
  { name: 'modelMenu_german_no_network', from: 'built', faults: ['no-synology'], before: german },
  { name: 'modelMenu_open', from: 'built' },
  { name: 'productversMenu_same', from: 'built' },
  { name: 'productversMenu_short', from: 'built' },
  { name: 'productversMenu_two_parts', from: 'built' },
  { name: 'productversMenu_unknown', from: 'built' },
  { name: 'productversMenu_unknown_build', from: 'built' },
  { name: 'productversMenu_no_network', from: 'built', faults: ['no-synology'] },
  { name: 'productversMenu_url', from: 'built' },
  { name: 'make_url' },
  { name: 'productversMenu_other', from: 'built' },
  { name: 'make_other' },
  { name: 'make_again' },
  { name: 'cleanCache' },
  { name: 'cleanCache_again' },
  { name: 'keys', from: 'built', before: `${write('sn', '1910PDN000001')}; ${write('mac1', '001132000001')}` },
  { name: 'keys_by_source', from: 'built' },
  {
    name: 'make_upgraded',
    from: 'built',
    before: 'touch "$CHROOT_PATH"/mnt/p1/.upgraded "$CHROOT_PATH"/mnt/p1/.build',
  },
  { name: 'make_no_network', from: 'other', faults: ['no-internet'] },
  { name: 'make_404', from: 'other', before: elsewhere },
  { name: 'make_error_open', from: 'other', before: elsewhere },
  { name: 'make_open', from: 'other' },
  { name: 'make_breaks', from: 'other', faults: ['pat-breaks'] },
  { name: 'make_stalls', from: 'other', faults: ['pat-stalls'] },
  { name: 'make_md5', from: 'other', faults: ['pat-md5'] },
  { name: 'make_after_md5' },
  { name: 'make_page', from: 'other', faults: ['pat-corrupt'], before: anySum },
  { name: 'make_extractor', from: 'other', before: anySum },
  { name: 'make_no_extractor', from: 'other', faults: ['no-extractor'], before: anySum },
  { name: 'make_extractor_fails', from: 'other', faults: ['pat-invalid'], before: anySum },
  { name: 'make_no_space', from: 'other', faults: ['no-space'] },
  { name: 'make_p1_full', from: 'other', faults: ['first-partition-full'] },
  { name: 'make_p2_full', from: 'other', faults: ['second-partition-full'] },
  { name: 'make_ramdisk', from: 'other', faults: ['ramdisk-not-patched'], before: anySum },
  { name: 'make_zimage', from: 'other', faults: ['zimage-not-patched'] },
  { name: 'make_no_url', from: 'other', before: noUrl },
  { name: 'make_german', from: 'other', before: german },
  { name: 'make_german_404', from: 'other', before: `${german}; ${elsewhere}` },
  { name: 'make_german_language', from: 'other', before: german },
  { name: 'addons', from: 'built' },
  { name: 'no_loader_disk', from: 'built' },
  {
    name: 'second',
    from: 'built',
    before: '(flock 9; sleep 3) 9>"$CHROOT_PATH/tmp/menu.lock" >/dev/null 2>&1 & sleep 1',
  },
  { name: 'no_function', from: 'built', before: 'flock "$CHROOT_PATH/tmp/menu.lock" true' },
  { name: 'false', from: 'built' },
];

/** Files that its callers look at. */
const files = [
  ...['p1/.build', 'p1/.upgraded', 'p1/GRUB_VER', 'p2/zImage', 'p2/rd.gz', 'p3/zImage-dsm', 'p3/initrd-dsm'],
  ...['p3/dl/DS918+-7.2.pat', 'p3/dl/DS918+-7.2.pat.downloading'],
];
/** Keys whose values are the same in both. */
const telling = [
  ...['model', 'platform', 'productver', 'buildnum', 'smallnum', 'dt', 'kver', 'kpre', 'cmdline.SataPortMap'],
  ...['cmdline.DiskIdxMap', 'addons.acpid', 'addons.nvmesystem'],
];
/** Whether they change is up to DSM's files. */
const hashes = ['zimage-hash', 'ramdisk-hash', 'machine_key-hash', 'sone_9_bak-hash'];

const look = `cd "$CHROOT_PATH/mnt"
for file in ${files.map(file => `'${file}'`).join(' ')}; do [ ! -e "$file" ] || echo "$(stat -c %Y "$file") $file"; done
echo ---
cat p1/user-config.yml`;
const old = `cd "$CHROOT_PATH/mnt" && touch -d '2020-01-01 00:00:00' $(find p1 p2 p3 -type f)`;
const keep = `cd "$CHROOT_PATH/" && rm -rf kept && mkdir kept && cp -R mnt/p1 mnt/p2 kept && mkdir kept/p3 && cp mnt/p3/*-dsm kept/p3`;
const putBack = `cd "$CHROOT_PATH/" && rm -rf mnt/p1/.[a-z]* mnt/p1/* mnt/p2/* mnt/p3/*-dsm mnt/p3/dl/* 2>/dev/null
cp -R kept/p1/. mnt/p1 && cp -R kept/p2/. mnt/p2 && cp kept/p3/* mnt/p3`;
const choose = '. ~/.mountloader; cd "$CHROOT_PATH/opt/rr"; ./menu.sh productversMenu 7.2.1-69057-1 </dev/null';

export function rrContract(name: string, start: () => Promise<StandIn>, of: readonly Case[] = cases): void {
  describe(`${name}: as the real one`, () => {
    let standIn: StandIn;
    beforeAll(async () => {
      standIn = await start();
      await must(standIn, keep);
    });
    afterAll(() => standIn?.[Symbol.asyncDispose]());

    test.each(of)('$name', async ({ name: which, from, faults = [], before = ':' }) => {
      const real = recordings[which];
      if (!real) throw new Error(`there is no recording ${which}`);
      if (from) await must(standIn, putBack);
      await standIn.fault([]);
      if (from === 'other') await must(standIn, choose);
      await standIn.fault(faults);
      await must(standIn, old);
      await must(standIn, before);
      const was = parse((await must(standIn, look)).output);
      const open = which.endsWith('_open');
      const ran = await standIn.run(`. ~/.mountloader; cd "$CHROOT_PATH/opt/rr"; ${real.command}`, {
        ...{ open, within: real.hangs ? 4_000 : 120_000 },
      });
      const is = parse((await must(standIn, look)).output);
      const output = readFileSync(new URL(`${which}.txt`, folder), 'utf8');
      expect({ code: ran.code, ...said(ran.output), ...changes(was, is) }, ran.output).toEqual({
        ...{ code: real.exit, ...said(output), files: only(real.files ?? {}), keys: values(real.config ?? {}) },
      });
    });
  });
}

async function must(standIn: StandIn, script: string): Promise<Ran> {
  const ran = await standIn.run(script);
  if (ran.code !== 0) throw new Error(`${script}: ${ran.output}`);
  return ran;
}

/** Shell that writes a key. */
function write(key: string, value: string): string {
  return `. "$CHROOT_PATH/opt/rr/include/functions.sh"; writeConfigKey ${key} '${value}' "$USER_CONFIG_FILE"`;
}

/** The dialogs, by title, kind and the first line of their text; and what stands before the first one. */
function said(output: string): { dialogs: string[]; ready: boolean; curl: string[] } {
  const dialogs = output.matchAll(/--title (.+?) .*?--(infobox|msgbox|yesno|menu|form|progressbox) (.+)/g);
  return {
    dialogs: [...dialogs].map(([, title, kind, text = '']) => `${title}: ${kind} ${text.replace(/\\n.*| \d+ .*/, '')}`),
    ready: /^(Ready|Bereit)!$/m.test(output),
    curl: output.match(/^Error: \d+:\d+|curl: \(\d+\)/gm) ?? [],
  };
}

interface Look {
  /** When each file was written. */
  times: Record<string, string>;
  config: Record<string, string>;
}

function parse(text: string): Look {
  const [listing = '', yaml = ''] = text.split('---\n');
  const times = Object.fromEntries([...listing.matchAll(/^(\d+) (.*)$/gm)].map(([, time, file]) => [file, time]));
  const config: Record<string, string> = {};
  let parent = '';
  for (const [, indent, key, value] of yaml.matchAll(/^( *)([\w-]+):(?: (.*))?$/gm)) {
    if (!indent) parent = key ?? '';
    if (value !== undefined) config[indent ? `${parent}.${key}` : (key ?? '')] = value.replace(/^"(.*)"$/, '$1');
  }
  return { times, config };
}

function changes(was: Look, is: Look): { files: Record<string, string>; keys: Record<string, string | null> } {
  const changed: Record<string, string> = {};
  for (const file of files) {
    const [before, after] = [was.times[file], is.times[file]];
    if (before === after) continue;
    changed[file] = before === undefined ? 'new' : after === undefined ? 'gone' : 'written';
  }
  const keys = new Set([...Object.keys(was.config), ...Object.keys(is.config)]);
  const config = [...keys].map(key => [key, [was.config[key] ?? null, is.config[key] ?? null]] as const);
  return { files: changed, keys: values(Object.fromEntries(config.filter(([, [a, b]]) => a !== b))) };
}

function only(all: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(all).filter(([file]) => files.includes(file)));
}

/** What telling keys have become; of all others that they have changed. */
function values(config: Record<string, readonly [string | null, string | null]>): Record<string, string | null> {
  const ours = Object.entries(config).filter(
    ([key]) => (!hashes.includes(key) && !/^(synoinfo|modules|cmdline)(\.|$)/.test(key)) || telling.includes(key),
  );
  return Object.fromEntries(ours.map(([key, [, after]]) => [key, telling.includes(key) ? after : 'changed']));
}
