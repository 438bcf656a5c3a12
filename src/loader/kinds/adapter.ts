import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { Prompt } from '../../ssh/dialogue.ts';
import type { BootPartition, BootVariable } from '../image/boot-entry.ts';
import type { SavedHome } from '../image/home.ts';
import type { ConfigVerdict, Finding, LoaderConfig, PreflightFacts, Problem } from '../plan/finding.ts';
import type { World } from '../plan/world.ts';
import type { MapPair } from '../sata-map.ts';

/**
 * What the rebuild must know of one kind of loader: how its image builder is started and recognised, which commands make
 * a new image, how to tell whether they worked, and what may be in the way. An adapter runs no commands.
 */
export interface LoaderAdapter {
  readonly kind: LoaderKind;
  /** `TinyCore RedPill` */
  readonly title: string;
  readonly login: { readonly user: string; readonly password: string };
  readonly builder: ImageBuilder;
  /** Where the image builder's home is saved; null: nothing of it is. */
  readonly home: SavedHome | null;
  /** The file with serial number and MACs: in that home, or else in the boot partition. */
  readonly config: string;
  /** Servers from which it downloads. */
  readonly servers: readonly string[];
  /** A finding for each thing that only this kind of loader requires. Rejects only with the signal's reason. */
  examine(facts: PreflightFacts, world: Pick<World, 'fetch'>, signal: AbortSignal): Promise<readonly Finding[]>;
  plan(config: LoaderConfig, facts: LoaderFacts): readonly Step[];
  readonly outputs: OutputTable;
  judgeConfig(text: string): ConfigVerdict;
  /** A title in the boot menu; null when the menu has none for it. `loaderBus`: the bus of the loader's own disk. */
  bootEntry(menu: readonly string[], want: 'builder' | 'dsm', loaderBus: string | null): string | null;
  /** Whether the image, as it is on the disk now, starts this DSM. */
  builtFor(partition: BootPartition, dsm: { model: string; version: string }): boolean;
}

export type LoaderKind = Exclude<LoaderSettings['kind'], 'auto'>;

/** The system that builds the loader. It is started from the loader's own boot menu. */
interface ImageBuilder {
  /**
   * `saved_entry` starts the builder until it is set back, which is the first thing that is done in it; `next_entry`
   * starts it once.
   */
  readonly variable: BootVariable;
  /** Whether it has a web page of its own. */
  readonly page: boolean;
  /**
   * Milliseconds that its SSH port must answer without a break before somebody logs in. In an RR that boots DSM, a login
   * stops the boot; but its port is closed again by then. `config`: the text of the file; null: not known.
   */
  settle(config: string | null): number;
  /** A command that prints `builder` only in the builder that was armed. */
  readonly proof: string;
  /** Why it may be another system: continues the sentence “it is not the image builder: ”. */
  readonly otherwise: string;
  readonly powerOff: string;
}

export interface LoaderFacts {
  /** The values to set, computed or configured; both empty for a model with a device tree. */
  map: MapPair;
  deviceTree: boolean;
  usbDisks: number;
  /** IDs of the loader's own stick, where they are written and not searched for. */
  usbIds: { vid: string; pid: string } | null;
}

/** One command, run in the home of the loader's user. */
export interface Step {
  /** Unique in a plan, and stable: `build`. */
  name: string;
  title: string;
  command: string;
  prompts: readonly Prompt[];
  /** What it gets on standard input; null: nothing. */
  input: Input | null;
  /** A file of this machine that it gets on standard input; null: none. */
  file: string | null;
  /** Its output is kept by this name for later steps, and never logged: it may contain serial number and MAC. */
  kept: boolean;
  /** It ends in a reboot into the same builder. */
  reboots: boolean;
  /** Milliseconds without output after which it counts as hung; then, in all. */
  silence: number;
  timeout: number;
  /** Its share of the whole time, relative to the other commands' shares. */
  weight: number;
  onlyIf: { words: string; holds(outputs: Outputs): boolean } | null;
  /** What its output contains when it has worked; no exit code proves that. */
  proofs: readonly Proof[];
  /** Its exit codes when it has worked; null: they tell nothing. Any other one means that it failed. */
  exitCodes: readonly number[] | null;
  /** Why the rebuild must end after this command, although it worked; null: it can go on. Read from its output. */
  objection(output: string, outputs: Outputs): Problem | null;
}

interface Input {
  /** Settings that are written; shown in a plan. */
  edits: Readonly<Record<string, string>>;
  keepIdentity: boolean;
  text(outputs: Outputs): { text: string; notes: readonly string[] } | { problem: { code: string; message: string } };
}

/** `pattern` matches at most 500 characters and sees none around them, so that a stream can be read in pieces. */
export interface Proof {
  name: string;
  pattern: RegExp;
}

/** By step, of those that are kept and have run. */
export type Outputs = ReadonlyMap<string, string>;

/** What the output of a loader's programs means. Patterns are those of `Proof`. */
export interface OutputTable {
  /** By its output, in words for people, with advice. Specific rows come first. */
  failures: readonly Failure[];
  /** Worth knowing of a step that has worked. */
  remarks: readonly { pattern: RegExp; note: string }[];
  /** Steps, by their names, that have worked when they print this, whatever else they say. */
  forgiven: { steps: RegExp; pattern: RegExp } | null;
  /** How far a step is when it prints this. */
  marks: readonly { pattern: RegExp; share: number }[];
  /** What people can do when a program of the loader is not there. */
  noProgram: string | null;
}

/** `$1` in its message is the match of the first group. */
export interface Failure {
  code: string;
  pattern: RegExp;
  /** No good run prints it: then the step has failed, even with exit code 0. Otherwise it only explains a failure. */
  alone: boolean;
  message: string;
  /** Null where the last lines of its output say more than we can. */
  advice: string | null;
}

export type Outcome =
  | { ok: true; notes: readonly string[] }
  /** `advice`: null where we know no more than the output, whose last lines are then shown. */
  | { ok: false; code: string; message: string; advice: string | null };

/** A step with the usual limits. */
export function step(name: string, title: string, command: string, more: Partial<Step>): Step {
  return {
    ...{ name, title, command, prompts: [], input: null, file: null, kept: false, reboots: false },
    // Most commands first ask a server for something, which takes long when it cannot be reached.
    ...{ silence: 5 * minute, timeout: 10 * minute, weight: 1, onlyIf: null, proofs: [], exitCodes: [0] },
    objection: () => null,
    ...more,
  };
}

export const minute = 60_000;
