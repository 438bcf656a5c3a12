import type { Check } from '../model/check.ts';
import type { FoundLoader, Loader } from '../model/loader.ts';
import { buildOf } from '../model/loader-settings.ts';
import type { HomeFiles } from './image/home.ts';
import { rebuildRefusals, recognise } from './kinds/recognise.ts';
import { readRelease } from './kinds/tcrp/release.ts';
import { type InspectImageOptions, inspectImage } from './plan/image.ts';
import { compareVersions, platformOf } from './platforms.ts';
import { namedValues } from './redact.ts';

/** Which loader an image has; null: it could not be read. `identity` takes its serial number and MACs. Rejects with the signal's reason. */
export async function lookAtImage(
  options: InspectImageOptions,
  identity: (words: readonly string[]) => void = () => {},
): Promise<FoundLoader | null> {
  const { partition, home } = await inspectImage(options);
  if (!partition) return null;
  identity([...partition.files.values()].flatMap(file => namedValues(file.toString('utf8'))));
  const files = home && 'files' in home ? home.files : null;
  const { kind, title, version, dsm, built, ...known } = recognise(partition, files);
  const newest = kind === 'tcrp' ? (listedDsms(files, known.model ?? options.settings.model)?.at(-1) ?? null) : null;
  return { name: title, version, model: known.model, dsm, newest, built, rebuilt: rebuildRefusals[kind] === null };
}

/** The DSMs that TinyCore RedPill lists for a model, the newest last; null: its list was not read. */
export function listedDsms(home: HomeFiles | null, model: string): readonly string[] | null {
  const prefix = platformOf(model)?.prefix;
  const builds = home && readRelease(home)?.builds;
  if (!builds) return null;
  const ids = [...builds.keys()].filter(id => id.startsWith(`${prefix}-`)).map(id => id.slice(id.indexOf('-') + 1));
  return ids.toSorted((a, b) => compareVersions(a, b) || (buildOf(a) ?? 0) - (buildOf(b) ?? 0));
}

/** What a DSM that does not come up has to do with its loader; null: nothing that is known. Pure. */
export function loaderTrouble(
  { verdict, problem, dsm }: Pick<Check, 'verdict' | 'problem' | 'dsm'>,
  found: FoundLoader,
): Pick<Loader, 'code' | 'error' | 'nextStep'> | null {
  const { name, built, rebuilt } = found;
  const nextStep = rebuilt ? 'Rebuild the loader.' : `Build the loader in the menu of ${name}.`;
  // A loader that can build itself anew for an updated DSM does so before it shows its page.
  if (verdict === 'loader' && problem && built === false) {
    const error = `DSM was updated, or ${name} was changed, and ${name} could not build itself for that: it waits at its own page.`;
    return { code: 'not_patched', error, nextStep };
  }
  const [is, was] = [buildOf(dsm.version ?? ''), buildOf(found.dsm ?? '')];
  if (verdict !== 'recoverable' || is === null || was === null || is === was) return null;
  const error = `DSM ${dsm.version} is on the disks, and its loader was built for ${found.dsm}: so DSM starts its recovery.`;
  return { code: 'loader_outdated', error, nextStep };
}
