import type { LoaderSettings } from '../../model/loader-settings.ts';
import { type BootPartition, menuPaths } from '../image/boot-entry.ts';
import type { HomeFiles } from '../image/home.ts';
import type { ImageFacts } from '../plan/finding.ts';
import type { LoaderAdapter, LoaderKind } from './adapter.ts';
import { at, type LoaderIdentity, type RecognisedKind, type Told, untold, word } from './identity.ts';
import { mshellScript, toldByMenu } from './menu-config.ts';
import { arcDsm, arplDsm, releaseIn, rrDsm, toldByYaml, yamlFiles } from './yaml-config.ts';

/** Tells which loader an image has, by its boot partition and its image builder's home. Trusts neither. Pure. */

interface Row {
  readonly kind: RecognisedKind;
  readonly title: string;
  /** In the menu's configuration: labels of its partitions, names of its kernels. */
  readonly marks?: RegExp;
  readonly entries?: RegExp;
  /** On the boot partition; has its release. */
  readonly file?: string;
  /** In the home. */
  readonly script?: string;
  tell(files: BootPartition['files'], menu: Menu): Told;
}

interface Menu {
  readonly titles: readonly string[];
  /** Without comments. */
  readonly config: string;
  readonly home: HomeFiles | null;
}

const byMenu: Row['tell'] = (_, { titles, config, home }) => toldByMenu(titles, config, home);

/** A fresh image has no entry for DSM. TinyCore RedPill's has one for a model that nobody has built. */
const byBuiltMenu: Row['tell'] = (files, menu) => {
  const told = byMenu(files, menu);
  return { ...told, built: told.dsm !== null };
};

/** Of several, the first one is right: M-shell has entries of TinyCore RedPill's too. */
const rows: readonly Row[] = [
  {
    ...{ kind: 'rr', title: 'RR', file: 'rr_version', marks: /--label "?RR[13]\b|\/bzImage-rr\b/ },
    tell: files =>
      toldByYaml(files, rrDsm, values => ({ bootWait: Number(word(values, 'bootwait', /^\d{1,4}$/) ?? 10) })),
  },
  {
    ...{ kind: 'arc', title: 'Arc', file: 'arc-version', marks: /--label "?ARC[13]\b|\/bzImage-arc\b/ },
    entries: /^Arc (?:Config|DSM|Update|Automated) /,
    tell: files =>
      toldByYaml(files, arcDsm, values => ({ built: word(at(values, 'arc'), 'builddone', /^true$/) !== null })),
  },
  {
    ...{ kind: 'arpl', title: 'ARPL', file: 'arpl-version', marks: /--label "?ARPL[13]\b|\/bzImage-arpl\b/ },
    tell: files => toldByYaml(files, arplDsm),
  },
  { kind: 'trireme', title: 'Trireme', entries: /\bTrireme\b/i, tell: () => untold },
  {
    ...{ kind: 'mshell', title: 'M-shell', script: mshellScript, marks: /\/grubbkg\.png\b|\bJOT Version : / },
    entries:
      /^(?:Alpine Redpill|xTCRP |Tiny Core Friend .|Tiny Core PostUpdate |Re-Install DSM of |RedPill .*\(USB\/SATA,)/,
    tell: byBuiltMenu,
  },
  { kind: 'tcrp', title: 'TinyCore RedPill', entries: /^(?:Tiny Core |RedPill \S)/, tell: byMenu },
];

const unknown = { kind: 'unknown', title: 'an unknown loader', ...untold } as const;
const configs = menuPaths.filter(path => path.endsWith('.cfg'));

/** The files of the boot partition that it needs, in lower case. */
export const bootFiles: readonly string[] = [...configs, ...yamlFiles, ...rows.flatMap(({ file }) => file ?? [])];

/** `home`: null if it was not read; of M-shell it also needs `functions.sh`. */
export function recognise({ boot, files }: BootPartition, home: HomeFiles | null): LoaderIdentity {
  const place = configs.find(path => files.has(path));
  const config = (files.get(place ?? '')?.toString('utf8') ?? '').replaceAll(/^[^\S\n]*#.*$/gm, '');
  const menu = { titles: boot.entries, config, home };
  // Files of another loader may have been left behind.
  const row =
    rows.find(({ marks, entries, script }) => {
      return marks?.test(config) || menu.titles.some(title => entries?.test(title)) || home?.has(script ?? '');
    }) ?? rows.find(({ file }) => files.has(file ?? ''));
  if (!row) return unknown;
  const { kind, title, file } = row;
  const told = row.tell(files, menu);
  return { kind, title, ...told, ...(file && { version: releaseIn(files.get(file)) }) };
}

/** Why the bridge cannot rebuild a loader, and what to do instead; null: it can. */
export const rebuildRefusals: Readonly<Record<RecognisedKind, { message: string; advice: string } | null>> = {
  tcrp: null,
  rr: null,
  arc: {
    message: 'Arc has no commands for a build, only its own menu.',
    advice: 'Build it in the menu of its config mode, or attach an image of RR.',
  },
  mshell: {
    message: 'The bridge does not build M-shell, and M-shell itself refuses DS918+ and DS1019+ on KVM.',
    advice: 'Build it in its own menu, or attach an image of RR.',
  },
  arpl: {
    message: 'ARPL is no longer maintained, and the bridge does not build it.',
    advice: 'Attach an image of RR, its successor.',
  },
  trireme: {
    message: 'The bridge does not know how Trireme is built.',
    advice: 'Build it in its own menu, or attach an image of RR or TinyCore RedPill.',
  },
  unknown: {
    message: 'The bridge does not know the loader in this image.',
    advice: 'Attach an image of RR or TinyCore RedPill.',
  },
};

/** The kind of loader that an image is taken for. Null: the image was not read. */
export function kindOf(partition: BootPartition | null, configured: LoaderSettings['kind']): LoaderKind {
  if (configured !== 'auto') return configured;
  return partition && recognise(partition, null).kind === 'rr' ? 'rr' : 'tcrp';
}

/** Why its image cannot be rebuilt, by the loader that it is recognised as; null: it may be. */
export function refusalOf(
  partition: BootPartition,
  { kind, title }: LoaderAdapter,
  configured: LoaderSettings['kind'],
): Extract<ImageFacts, { found: 'yes' }>['refusal'] {
  const found = recognise(partition, null);
  // A menu that somebody has edited may still be of the configured kind.
  if (found.kind === kind || (found.kind === 'unknown' && configured !== 'auto')) return null;
  const refusal = rebuildRefusals[found.kind];
  if (refusal)
    return { message: `The loader's image is one of ${found.title}. ${refusal.message}`, advice: refusal.advice };
  const message = `The loader's image is one of ${found.title}, and the configuration says ${title}.`;
  return { message, advice: 'Set `kind: auto`.' };
}
