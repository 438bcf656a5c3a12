/**
 * What the boot menu of TinyCore RedPill calls things. A build names DSM's entries after model and version:
 * `RedPill DS918+ v7.1.1-42962 (USB, Verbose)`; from 0.9.4.5 on without the v. Friend, where it is there, starts DSM by
 * itself.
 */

const builder = 'Tiny Core Image Build';
const friend = 'Tiny Core Friend';

export function bootEntry(menu: readonly string[], want: 'builder' | 'dsm', loaderBus: string | null): string | null {
  if (want === 'builder') return menu.find(title => title === builder) ?? null;
  const bus = loaderBus === 'sata' ? 'SATA' : 'USB';
  return menu.find(title => title === friend) ?? menu.find(title => isDsm(title) && title.includes(`(${bus},`)) ?? null;
}

/** Every entry of DSM itself says so; there may be others from before if the menu was not replaced. */
export function builtFor(menu: readonly string[], dsm: { model: string; version: string }): boolean {
  const entries = menu.filter(isDsm);
  return entries.length > 0 && entries.every(title => names(title, dsm));
}

function isDsm(title: string): boolean {
  return title.startsWith('RedPill ');
}

function names(title: string, { model, version }: { model: string; version: string }): boolean {
  const [, its, of] = title.split(' ');
  return its === model && (of === undefined ? false : of.replace(/^v/, '').split('-')[0] === version);
}
