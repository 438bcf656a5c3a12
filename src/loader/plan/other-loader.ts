/** By titles that stand in the boot menu of one loader alone, also before it has built anything. */
const titles: readonly (readonly [name: string, title: RegExp])[] = [
  ['M-shell', /^Alpine Redpill Image Build$/],
  ['Arc', /^Arc (?:Config|Automated Config|DSM|Update) Mode$/],
  // ARPL has the same menu: RR is made of it.
  ['RR or ARPL', /^Configure loader$/],
];

/** Which loader has written a boot menu, if it is a known one other than TinyCore RedPill; null: none. Pure. */
export function otherLoader(menu: readonly string[]): string | null {
  return titles.find(([, pattern]) => menu.some(title => pattern.test(title)))?.[0] ?? null;
}
