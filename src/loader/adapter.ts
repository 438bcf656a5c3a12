import type { LoaderSettings } from '../model/loader-settings.ts';
import type { Prompt } from '../ssh/dialogue.ts';
import type { SavedHome } from './image/home.ts';
import type { MapPair } from './sata-map.ts';

/**
 * What the rebuild must know of one kind of loader: which commands make a new image, what they ask, how to tell whether
 * they worked, and what the entries of its boot menu are called. All of it is pure; an adapter runs no commands.
 */
export interface LoaderAdapter {
  /** `tcrp` */
  readonly name: string;
  readonly login: { readonly user: string; readonly password: string };
  /** Where the image builder's home is saved; `config`: the file in it with serial number and MACs. */
  readonly home: SavedHome & { readonly config: string };
  /** What `upgrade: full` leads to. */
  readonly newest: LoaderRelease;
  /** Null: these files of the home do not tell. */
  release(home: ReadonlyMap<string, Buffer>): LoaderRelease | null;
  plan(config: LoaderConfig, facts: LoaderFacts): readonly Step[];
  judge(step: Step): Judge;
  judgeConfig(text: string): ConfigVerdict;
  /** Finds serial numbers and MACs in output that is kept, so that they can be hidden everywhere. */
  secrets(output: string): readonly string[];
  /** A title in the boot menu; null when the menu has none for it. `loaderBus`: the bus of the loader's own disk. */
  bootEntry(menu: readonly string[], want: 'builder' | 'dsm', loaderBus: string | null): string | null;
  builtFor(menu: readonly string[], dsm: { model: string; version: string }): boolean;
}

export interface LoaderRelease {
  /** `0.9.4.6`; null: not known. */
  version: string | null;
  /** For each id in its list, the URLs of the extensions that it adds by itself. */
  builds: ReadonlyMap<string, readonly string[]>;
  /** URLs that it fetches for every build, besides the listed extensions. */
  always: readonly string[];
  /** The model by the prefix of an id; null: not known. */
  models: ReadonlyMap<string, string> | null;
  /** Models for which it makes serial numbers; null: not known. */
  serials: readonly string[] | null;
}

export type LoaderConfig = Pick<LoaderSettings, 'model' | 'platform' | 'upgrade' | 'extensions' | 'keepIdentity'>;

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
  /** Its output is kept by this name for later steps, and never logged: it may contain serial number and MAC. */
  kept: boolean;
  /** Milliseconds without output after which it counts as hung; then, in all. */
  silence: number;
  timeout: number;
  /** Its share of the whole time, relative to the other commands' shares. */
  weight: number;
  onlyIf: Condition | null;
  /** What its output contains when it has worked; no exit code proves that. */
  proofs: readonly Proof[];
  /** Its exit codes when it has worked. Any other one means that it failed. */
  exitCodes: readonly number[];
  /** Why the rebuild must end after this command, although it worked; null: it can go on. Read from its output. */
  objection(output: string): Problem | null;
}

interface Input {
  /** Settings that are written; shown in a plan. */
  edits: Readonly<Record<string, string>>;
  keepIdentity: boolean;
  text(outputs: Outputs): { text: string; notes: readonly string[] } | { problem: { code: string; message: string } };
}

interface Condition {
  words: string;
  holds(outputs: Outputs): boolean;
}

/** `pattern` matches at most 500 characters and sees none around them, so that a stream can be read in pieces. */
interface Proof {
  name: string;
  pattern: RegExp;
}

/** By step, of those that are kept and have run. */
export type Outputs = ReadonlyMap<string, string>;

/** Why a configuration allows no rebuild; else whether it has a serial number and a MAC, or needs new ones. */
export type ConfigVerdict = { problem: Problem } | { complete: boolean };

interface Problem {
  code: string;
  message: string;
  advice: string;
}

export interface Judge {
  take(piece: string): void;
  /** Null: it ended without an exit code. */
  end(exitCode: number | null): Outcome;
}

export type Outcome =
  | { ok: true; notes: readonly string[] }
  /** `advice`: null where we know no more than the output, whose last lines are then shown. */
  | { ok: false; code: string; message: string; advice: string | null };
