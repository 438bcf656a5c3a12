import type { TcrpVersion } from '../platform-table.ts';

/**
 * Which release of TinyCore RedPill has written a boot menu: 0.9 calls DSM `RedPill DS918+ v7.1.1-42962 (USB, Verbose)`,
 * 0.10 leaves the v out. Null when no entry tells, or when they differ. Pure.
 */
export function releaseOf(menu: readonly string[]): TcrpVersion | null {
  const told = new Set(
    menu.flatMap(title => {
      const [, v] = /^RedPill \S+ (v?)\d+\.\d/.exec(title) ?? [];
      return v === undefined ? [] : [v === 'v' ? ('0.9' as const) : ('0.10' as const)];
    }),
  );
  const [release = null] = told;
  return told.size === 1 ? release : null;
}
