import { type BootPhase, bootPhases } from '../model/boot.ts';

/** What shows that a boot has reached a phase, as firmware, loaders and DSM write it. Pure. */

type Phases = Readonly<Record<BootPhase, number | null>>;

export const noPhases: Phases = { menu: null, loader: null, kernel: null, init: null, up: null };

/** Sources: OVMF's BdsDxe, GRUB, TCRP's friend and RR's and Arc's boot scripts, Linux, DSM's linuxrc.syno. */
const signs: readonly (readonly [BootPhase, RegExp])[] = [
  ['menu', /^BdsDxe: (?:load|start)ing |\bGNU GRUB\b|Welcome to GRUB|^\s*SeaBIOS /],
  ['loader', /TCRP Friend|TinyCore RedPill Friend|\bWelcome to (?:RR|Arc|ARPL)\b|Loading DSM kernel|Loading kexec/i],
  ['kernel', /\bLinux version \d|^Decompressing Linux|^Booting the kernel/],
  ['init', /linuxrc\.syno|\bSynology\b.*\binit\b|^Starting \/usr\/syno\b|\bsynoinfo\b|DiskStation login:/i],
];

/**
 * The phases after a line. One that comes again begins anew what follows it: a loader may have a kernel of its own, and
 * a guest may restart.
 */
export function withLine(phases: Phases, line: string, seconds: number): Phases {
  const sign = signs.find(([, pattern]) => pattern.test(line));
  if (!sign) return phases;
  const [phase] = sign;
  const later = bootPhases.slice(bootPhases.indexOf(phase) + 1);
  const again = later.some(each => phases[each] !== null);
  if (phases[phase] !== null && !again) return phases;
  return { ...phases, ...Object.fromEntries(later.map(each => [each, null])), [phase]: seconds };
}
