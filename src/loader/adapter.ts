import type { SavedHome } from './image/home.ts';
import type { MapPair } from './sata-map.ts';

/**
 * What the rebuild must know of one kind of loader: which commands make a new image, what they ask, how to tell whether
 * they did it, and what its boot menu calls things. All of it pure; who runs the commands is no matter of an adapter.
 */

export interface LoaderAdapter {
  readonly name: string;
  /** With which its image is delivered. */
  readonly login: { readonly user: string; readonly password: string };
  /** In the order in which they are to be run. */
  plan(config: LoaderConfig, facts: LoaderFacts): readonly Step[];
  /** Whether a step with a condition is to be run, once the outputs it depends on are there. */
  applies(step: Step, outputs: Outputs): boolean;
  /** What a step that has `input` gets on its standard input. */
  input(step: Step, outputs: Outputs): StepInput;
  /** Where the image builder's home is saved; `config`: the file in it with serial number and MACs. */
  readonly home: SavedHome & { readonly config: string };
  judgeConfig(text: string): ConfigVerdict;
  /** Why the rebuild must end after a step, though that has worked, by its output; null: it can go on. */
  objection(step: Step, output: string): Problem | null;
  /** Serial numbers and MACs in an output that is kept, so that they can be hidden elsewhere. */
  secrets(output: string): readonly string[];
  /** Follows one run of a step. */
  judge(step: Step): Judge;
  /** A title of this menu; null when there is none for it. `loaderBus`: what the loader's own disk is on. */
  bootEntry(menu: readonly string[], want: 'builder' | 'dsm', loaderBus: string | null): string | null;
  /** Whether the menu is one that was built for this DSM. */
  builtFor(menu: readonly string[], dsm: { model: string; version: string }): boolean;
}

export interface LoaderConfig {
  /** `DS918+` */
  model: string;
  /** `ds918p-7.1.1-42962` */
  platform: string;
  upgrade: 'never' | 'full';
  /** URLs of extensions' indexes. */
  extensions: readonly string[];
  /** Serial number and MACs stay what they are; false: new ones are made. */
  keepIdentity: boolean;
}

export interface LoaderFacts {
  /** To be set, be they computed or configured; both empty for a model with a device tree. */
  map: MapPair;
  deviceTree: boolean;
  /** Disks on USB as the guest sees them. */
  usbDisks: number;
  /** Of the loader's own, where they are to be written rather than looked for. */
  usbIds: { vid: string; pid: string } | null;
}

/** One command, run in the home of the loader's user. */
export interface Step {
  /** Unique in a plan, and stable: `build`. */
  name: string;
  /** What people read while it runs. */
  title: string;
  /** One line of shell. */
  command: string;
  prompts: readonly Prompt[];
  /** Settings that are written; shown in a plan, and null for a step that takes nothing on standard input. */
  input: { edits: Readonly<Record<string, string>>; keepIdentity: boolean } | null;
  /** Its output is for later steps, by its name, and for no log: it may hold serial number and MAC. */
  kept: boolean;
  /** Milliseconds without output after which it counts as hung. */
  silence: number;
  /** Milliseconds in all. */
  timeout: number;
  /** Its part of the time that all take, as a number beside the others'. */
  weight: number;
  onlyIf: Condition | null;
  /** What its output has when it has worked; no exit code proves that. */
  proofs: readonly Proof[];
  /** Exit codes with which it ends when it has worked. Any other one means that it failed. */
  exitCodes: readonly number[];
}

export interface Prompt {
  name: string;
  /** Matches what it asks, up to its last visible character. */
  pattern: RegExp;
  /** Without line feed; empty: ENTER alone. */
  answer: string;
  /** How often it may be asked; default 1. */
  times?: number;
}

export interface Condition {
  code: 'upgraded_from_0.9' | 'no_identity';
  words: string;
}

/** `pattern` matches 500 characters at most and looks at nothing outside of them, so that a stream can be read in pieces. */
interface Proof {
  name: string;
  pattern: RegExp;
}

/** By step, of those that are kept. */
export type Outputs = ReadonlyMap<string, string>;

export type StepInput = { text: string; notes: readonly string[] } | { problem: { code: string; message: string } };

/** Why no rebuild can be made from a configuration; or whether it has a serial number and a MAC, or they must be made. */
export type ConfigVerdict = { problem: Problem } | { complete: boolean };

/** `message`: a sentence. `advice`: what to do. */
export interface Problem {
  code: string;
  message: string;
  advice: string;
}

export interface Judge {
  /** Output as it comes, both streams. */
  take(piece: string): void;
  /** Null: it ended without an exit code. */
  end(exitCode: number | null): Outcome;
}

export type Outcome =
  | { ok: true; notes: readonly string[] }
  /** `advice`: null where nothing is known but what it said itself. Then its last lines are shown. */
  | { ok: false; code: string; message: string; advice: string | null };
