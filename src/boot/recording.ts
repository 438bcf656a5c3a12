import { join } from 'node:path';
import * as z from 'zod';
import { type Boot, type BootPhase, type BootResult, bootPhases, bootResults } from '../model/boot.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';
import { Store } from '../util/store.ts';
import { Lines } from './lines.ts';

/** Lines that are kept of a boot. */
const most = 1_000;
/** Lines of the good boot that are shown beside. */
const mostNext = 10;

export interface RecordingOptions {
  startedAt: Date;
  /** Words to remove whatever they look like: serial number and MACs. */
  known: readonly string[];
  /** The last good boot. */
  good: Boot | null;
  /** Seconds since power on. */
  seconds: () => number;
}

/** One boot, as it is being recorded. */
export class Recording {
  readonly #options: RecordingOptions;
  readonly #input: Lines;
  #lines: string[] = [];
  #phases = noPhases;
  #source: Boot['source'] = null;
  #result: BootResult | null = null;
  #endedAt: string | null = null;

  constructor(options: RecordingOptions) {
    this.#options = options;
    this.#input = new Lines(options.known);
  }

  get result(): BootResult | null {
    return this.#result;
  }

  /** Takes what came; returns its lines. */
  hear(bytes: Buffer, source: NonNullable<Boot['source']>): readonly string[] {
    this.#source = source;
    return this.#add(this.#input.push(bytes));
  }

  /** A line of ours: what happened beside the console. */
  note(text: string): readonly string[] {
    const line = `--- ${text} ---`;
    return this.#lines.at(-1) === line ? [] : this.#add([...this.#input.end(), line]);
  }

  conclude(result: BootResult): void {
    this.#result = result;
    if (result === 'ok') this.#phases = { ...this.#phases, up: this.#phases.up ?? this.#seconds() };
  }

  /** Nothing more comes; idempotent. */
  end(now: Date): readonly string[] {
    this.#endedAt ??= now.toISOString();
    return this.#add(this.#input.end());
  }

  get boot(): Boot {
    const { startedAt, good } = this.#options;
    const next = this.#result === 'ok' || !good ? [] : compare(this.#lines, good.lines);
    return {
      ...{ startedAt: startedAt.toISOString(), endedAt: this.#endedAt, result: this.#result, source: this.#source },
      ...{ phases: this.#phases, lines: this.#lines.slice(-most) },
      next: 'common' in next && next.common !== null ? next.there.slice(0, mostNext) : [],
    };
  }

  #add(lines: readonly string[]): readonly string[] {
    for (const line of lines) this.#phases = withLine(this.#phases, line, this.#seconds());
    this.#lines.push(...lines.slice(-most));
    if (this.#lines.length > 2 * most) this.#lines = this.#lines.slice(-most);
    return lines;
  }

  #seconds(): number {
    return Math.round(this.#options.seconds() * 10) / 10;
  }
}

type Phases = Readonly<Record<BootPhase, number | null>>;

export const noPhases: Phases = { menu: null, loader: null, kernel: null, init: null, up: null };

/**
 * What shows that a boot has reached a phase.
 * Sources: OVMF's BdsDxe, GRUB, TCRP's friend and RR's and Arc's boot scripts, Linux, DSM's linuxrc.syno.
 */
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

/** One boot beside a good one, line by line. */
export interface Comparison {
  /** The last line that both have; null: none. */
  common: string | null;
  /** What follows it, in each. */
  here: readonly string[];
  there: readonly string[];
}

/** Numbers and the kernel's times differ in each boot. */
export function compare(lines: readonly string[], good: readonly string[]): Comparison {
  const places = new Map(good.map((line, at) => [shape(line), at]));
  const at = lines.findLastIndex(line => shape(line).length > 3 && places.has(shape(line)));
  const common = lines[at] ?? null;
  if (common === null) return { common, here: lines, there: good };
  return { common, here: lines.slice(at + 1), there: good.slice((places.get(shape(common)) ?? 0) + 1) };
}

function shape(line: string): string {
  return line.replace(/^\[\s*\d+\.\d+\]\s*/, '').replaceAll(/0x[\da-f]+|\d+/gi, '#');
}

/** The boots of one VM that are kept in `data_dir`; null: none. */
export interface KeptBoots {
  last: Boot | null;
  good: Boot | null;
}

export const noBoots: KeptBoots = { last: null, good: null };

const boot = z.object({
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  result: z.enum(bootResults).nullable(),
  source: z.enum(['log', 'console']).nullable(),
  phases: z.record(z.enum(bootPhases), z.number().nullable()),
  lines: z.array(z.string()),
  next: z.array(z.string()),
});
const boots: z.ZodType<KeptBoots> = z.object({ last: boot.nullable(), good: boot.nullable() });

/** One file for each VM. Only its owner may read it. */
export function bootStore(folder: string, key: VmKey, logger: Logger): Store<KeptBoots> {
  return new Store({ path: join(folder, 'boots', `${key}.json`), empty: noBoots, schema: boots, logger });
}
