import type { Boot, BootResult } from '../model/boot.ts';
import type { Check } from '../model/check.ts';
import { usual } from '../model/history/history.ts';
import type { Event, VmSnapshot } from '../model/snapshot.ts';
import { type KeptBoots, Recording } from './recording.ts';

export interface RecorderOptions {
  vm: () => VmSnapshot;
  /** Milliseconds that a boot may take. */
  grace: number;
  was: KeptBoots;
  save: (boots: KeptBoots) => void;
  /** A boot that went wrong, or that came up. */
  tell: (boot: Boot) => void;
  /** Takes a picture of the screen. */
  picture: () => void;
  /** Words to remove from what is recorded. */
  known: () => readonly string[];
  /** Reads the guest's console into it, until the signal or until there is nothing more to read. */
  read: (into: Input, signal: AbortSignal) => void;
}

export interface Input {
  hear: (bytes: Buffer, source: NonNullable<Boot['source']>) => void;
  note: (text: string) => void;
}

/** Hears each line; null: the recording has ended. */
type Follower = (lines: readonly string[] | null) => void;

/** The latest boot; `told`: people have heard that something is wrong with it. */
interface Current {
  recording: Recording;
  reading: AbortController;
  timers: NodeJS.Timeout[];
  told: boolean;
}

/** Milliseconds until what a guest wrote at its end has been read. */
const lastWords = 500;
/** Lines that are told. */
const mostTold = 40;

/** Records the boots of one VM, from power on or reset until DSM is up, the time is over or the VM stops. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #followers = new Set<Follower>();
  #boots: KeptBoots;
  #current: Current | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#boots = options.was;
  }

  /** Tells what an earlier bridge knew. */
  start(): void {
    const { last } = this.#boots;
    if (last && last.result !== null) this.#options.tell(shown(last));
  }

  /** Must hear every event of the VM, after the snapshot has taken it. */
  hear(event: Event, { startedAt: before }: VmSnapshot): void {
    const { domain, startedAt } = this.#options.vm();
    if (event.type === 'domain' && startedAt !== null && startedAt !== before) this.#begin();
    else if (event.type === 'domain' && !domain?.active) this.#stopped();
    else if (event.type === 'rebooted' && domain?.active) this.#restarted();
    else if (event.type === 'checked') this.#judge(event.check);
  }

  /** The newest lines, and then each that comes; returns how to stop. */
  follow(follower: Follower): () => void {
    const { recording, reading } = this.#current ?? {};
    if (recording && !reading?.signal.aborted) follower(recording.boot.lines.slice(-mostTold));
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  #begin(): void {
    this.close();
    const { vm, grace, known, read } = this.#options;
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1_000;
    const recording = new Recording({ startedAt: new Date(), known: known(), good: this.#boots.good, seconds });
    const reading = new AbortController();
    const most = (usual(vm().history.boots) ?? Number.POSITIVE_INFINITY) * 1_000;
    const timers = [setTimeout(() => this.#late(), grace)];
    if (most < grace) timers.push(setTimeout(() => this.#slow(), most));
    const current = { recording, reading, timers, told: false };
    this.#current = current;
    const tell = (lines: readonly string[]) => {
      if (lines.length > 0) for (const follower of this.#followers) follower(lines);
    };
    const hear: Input['hear'] = (bytes, source) => {
      if (!reading.signal.aborted) tell(recording.hear(bytes, source));
    };
    read({ hear, note: text => tell(recording.note(text)) }, reading.signal);
  }

  /** During a boot, a restart is a part of it. */
  #restarted(): void {
    if (this.#current && !this.#current.reading.signal.aborted) this.#current.recording.note('the guest restarted');
    else this.#begin();
  }

  #stopped(): void {
    const { recording, reading, timers, told } = this.#current ?? {};
    if (!recording || reading?.signal.aborted) return;
    if (recording.result === null) recording.conclude('stopped');
    const end = () => {
      this.close();
      if (told) this.#tell();
    };
    timers?.push(setTimeout(end, lastWords));
  }

  #judge({ wasUp, problem, expected, verdict }: Check): void {
    const { recording, told } = this.#current ?? {};
    if (!recording || recording.result === 'ok') return;
    if (wasUp) {
      recording.conclude('ok');
      this.close();
      this.#tell();
    } else if (problem && expected !== 'off' && (!told || recording.result === 'slow')) {
      this.#wrong('problem', verdict !== 'loader');
    }
  }

  #slow(): void {
    const { check } = this.#options.vm();
    if (this.#current?.recording.result === null && check && check.verdict !== 'unknown')
      this.#wrong('slow', check.verdict !== 'loader');
  }

  /** The time is over. */
  #late(): void {
    this.close();
    if (this.#current?.told) this.#tell();
    else this.#slow();
  }

  #wrong(result: BootResult, mayPicture: boolean): void {
    const { recording } = this.#current ?? {};
    if (!recording) return;
    const isOff = recording.result === 'stopped';
    if (!isOff) recording.conclude(result);
    this.#tell();
    // A loader may show its command line, with the serial number; unheard, it may be one.
    const { source, phases } = recording.boot;
    const { loader, kernel } = phases;
    if (mayPicture && !isOff && source !== null && (loader === null || kernel !== null)) this.#options.picture();
  }

  #tell(): void {
    if (!this.#current) return;
    this.#current.told = true;
    this.#options.tell(shown(this.#current.recording.boot));
    this.#keep(this.#current.recording);
  }

  #keep({ boot }: Recording): void {
    const isGood = boot.result === 'ok' && boot.lines.length > 0;
    this.#boots = { last: boot, good: isGood ? boot : this.#boots.good };
    this.#options.save(this.#boots);
  }

  /** Ends what goes on; idempotent. */
  close(): void {
    if (!this.#current || this.#current.reading.signal.aborted) return;
    const { recording, reading, timers } = this.#current;
    reading.abort();
    for (const timer of timers) clearTimeout(timer);
    recording.end(new Date());
    this.#keep(recording);
    for (const follower of this.#followers) follower(null);
  }
}

/** What people are told of it: of a good boot not what it said. */
function shown(boot: Boot): Boot {
  return { ...boot, lines: boot.result === 'ok' ? [] : boot.lines.slice(-mostTold) };
}
