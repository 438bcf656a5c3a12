import { addAbortListener } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientChannel } from 'ssh2';
import { spell } from '../util/duration.ts';
import { Dialogue, type Prompt } from './dialogue.ts';
import { type CommandEnd, CommandError } from './errors.ts';
import { News } from './news.ts';
import { Plain } from './plain.ts';
import type { SshSession } from './session.ts';
import { exchange } from './transfer.ts';
import { Announcement, killCommand, wrap } from './wrap.ts';

/**
 * Runs one long command: passes its output on, answers its prompts, and gives it up when it is silent. Then it stops the
 * command first, because closing its channel alone stops nothing. Its stdin stays open, because a `read` would take its
 * end for "no".
 */

export interface RunOptions {
  prompts?: readonly Prompt[];
  /** Sent whole, and followed by the end of stdin; no prompt can be answered then. */
  stdin?: Uint8Array | Readable;
  /** Takes all output, in order. While a promise that it returns is pending, the command waits. */
  onOutput?: (text: string) => void | Promise<void>;
  /** Milliseconds without news in its output (`News`) after which it is given up; then, for all of it. */
  silence: number;
  deadline: number;
  signal: AbortSignal;
  /** Milliseconds of quiet before a prompt is answered; default 300. */
  settle?: number;
  /** Milliseconds of quiet before an unknown question ends it; default 10 s. */
  promptPatience?: number;
  /** Milliseconds that TERM, and KILL after it, may take; default 5 s. */
  grace?: number;
  /** Milliseconds of quiet, after its end, for processes that still hold its output open; default 2 s. */
  linger?: number;
}

/**
 * Runs a command of a POSIX shell to its end. Rejects with `CommandError` when it is given up or its outcome is not
 * known, and with `SshError` when it was not started.
 */
export function runCommand(session: SshSession, command: string, options: RunOptions): Promise<CommandEnd> {
  return new Command(session, options).run(command);
}

const kept = 65_536;

interface Running {
  channel: ClientChannel;
  /** Resolves when no process holds its output open. */
  ended: Promise<void>;
}

class Command {
  readonly #session: SshSession;
  readonly #options: RunOptions;
  readonly #dialogue: Dialogue;
  readonly #news = new News();
  readonly #plain = new Plain();
  readonly #announcement = new Announcement();
  readonly #answered: string[] = [];
  /** Why it is given up; null: it ended. */
  readonly #outcome = Promise.withResolvers<CommandError | null>();
  #settled = false;
  #over = false;
  #exit: Pick<CommandEnd, 'status' | 'signal'> | null = null;
  #tail = '';
  #heard = performance.now();
  /** When its output last had news. Time in which the output waited to be taken does not count. */
  #alive = this.#heard;
  #taking = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(session: SshSession, options: RunOptions) {
    this.#session = session;
    this.#options = options;
    const { settle = 300, promptPatience: patience = 10_000 } = options;
    // With a stdin of its own nothing can be answered: every question is unknown.
    this.#dialogue = new Dialogue(options.stdin ? [] : (options.prompts ?? []), { settle, patience });
  }

  async run(command: string): Promise<CommandEnd> {
    const { signal, deadline } = this.#options;
    const over = new AbortController();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(deadline)]);
    const expire = () => {
      if (signal.aborted) this.#giveUp('cancelled', 'the command was cancelled', { cause: signal.reason });
      else this.#giveUp('deadline', 'the command took too long');
    };
    using _ = addAbortListener(limit, expire);
    try {
      if (limit.aborted) expire();
      const listen = (channel: ClientChannel) => this.#listen(channel);
      const starting = this.#settled ? null : this.#session.exec(wrap(command), over.signal, listen);
      // A command that is given up before it begins may still begin.
      const running = await Promise.race([starting, this.#outcome.promise.then(() => null)]);
      const failure = await this.#outcome.promise;
      if (failure && running) await this.#stop(running);
      return this.#end(failure);
    } finally {
      over.abort();
      clearTimeout(this.#timer);
    }
  }

  #end(failure: CommandError | null): CommandEnd {
    const end = this.#exit && { ...this.#exit, tail: this.#tail, answered: this.#answered };
    if (end && !failure) return end;
    throw Object.assign(failure ?? wordless(), { end, tail: this.#tail });
  }

  #listen(channel: ClientChannel): Running {
    // Writing to a command that has just ended.
    channel.on('error', () => {});
    channel.on('exit', (status: number | null, signal?: string) => {
      this.#exit = { status, signal: signal ?? null };
      this.#heard = performance.now();
      this.#watch(channel);
    });
    const closed = new Promise<void>(resolve => channel.once('close', resolve));
    const read = [this.#read(channel, channel, this.#announcement), this.#read(channel, channel.stderr)];
    const ended = Promise.allSettled([...read, closed]).then(() => {
      this.#over = true;
      if (this.#exit) this.#conclude(null);
      else if (this.#session.over) this.#giveUp('connection_lost', 'the connection broke while the command ran');
      else this.#conclude(wordless());
    });
    this.#feed(channel);
    this.#watch(channel);
    return { channel, ended };
  }

  #feed(channel: ClientChannel): void {
    const { stdin } = this.#options;
    if (stdin instanceof Uint8Array) channel.end(stdin);
    // A file that cannot be read to its end must not look whole.
    else stdin?.once('error', () => channel.close()).pipe(channel);
  }

  /** Reads no further while output waits to be taken: then SSH's window closes, and the command's next write blocks. */
  async #read(channel: ClientChannel, half: Readable, announcement?: Announcement): Promise<void> {
    half.setEncoding('utf8');
    for await (const piece of half.iterator({ destroyOnReturn: false })) {
      await this.#take(channel, announcement ? announcement.feed(piece) : piece);
    }
    if (announcement) await this.#take(channel, announcement.flush());
  }

  async #take(channel: ClientChannel, text: string): Promise<void> {
    if (text === '') return;
    this.#tail = (this.#tail + text).slice(-kept);
    const plain = this.#plain.feed(text);
    const began = performance.now();
    if (this.#news.feed(plain)) this.#alive = began;
    this.#taking += 1;
    try {
      const taken = this.#options.onOutput?.(text);
      if (taken instanceof Promise) await Promise.race([taken, this.#outcome.promise]);
    } catch (cause) {
      this.#giveUp('output', 'the output could not be kept', { cause });
    }
    this.#taking -= 1;
    this.#heard = performance.now();
    this.#alive += this.#heard - began;
    this.#dialogue.feed(plain, this.#heard);
    this.#watch(channel);
  }

  #watch(channel: ClientChannel): void {
    clearTimeout(this.#timer);
    // More output may wait to be taken.
    if (this.#settled || this.#taking > 0) return;
    const { silence, linger = 2_000 } = this.#options;
    const now = performance.now();
    const over = this.#exit ? this.#heard + linger : this.#alive + silence;
    const step = this.#exit ? null : this.#dialogue.next(now);
    if (step?.kind === 'unknown_prompt') {
      const { name, text } = step;
      this.#giveUp('unknown_prompt', 'the command asks what has no answer here', { prompt: { name, text } });
    } else if (now >= over && this.#exit) {
      this.#conclude(null);
    } else if (now >= over) {
      const { stands, host } = this.#news;
      this.#giveUp('silent', `nothing new came from the command for ${spell(silence)}`, { stall: { stands, host } });
    } else {
      if (step?.kind === 'answer') this.#answer(channel, step.name, step.text);
      const next = step?.kind === 'wait' && step.until !== null ? Math.min(step.until, over) : over;
      this.#timer = setTimeout(() => this.#watch(channel), Math.max(1, next - now));
    }
  }

  #answer(channel: ClientChannel, name: string, text: string): void {
    this.#answered.push(name);
    if (channel.writable) channel.write(`${text}\n`);
  }

  /**
   * Ends the command and all that it started, TERM first and KILL after, each in two ways: as SSH's own signal, which
   * old servers ignore and dropbear hands to the first process alone, and from a second command that signals the group.
   */
  async #stop({ channel, ended }: Running): Promise<void> {
    const { grace = 5_000 } = this.#options;
    const { group } = this.#announcement;
    for (const name of ['TERM', 'KILL'] as const) {
      if (this.#over || this.#session.over) return;
      channel.signal(name);
      const how = { signal: new AbortController().signal, timeout: grace };
      // The session may be full or lost.
      const killed = group === null ? null : exchange(this.#session, killCommand(group, name), how).catch(() => {});
      await Promise.race([ended, this.#session.closed, sleep(grace, undefined, { ref: false })]);
      // It must not hit the next command.
      await killed;
    }
  }

  #giveUp(...failure: ConstructorParameters<typeof CommandError>): void {
    this.#conclude(new CommandError(...failure));
  }

  /** The first call counts. */
  #conclude(failure: CommandError | null): void {
    this.#settled = true;
    this.#outcome.resolve(failure);
  }
}

function wordless(): CommandError {
  return new CommandError('outcome_unknown', 'the command ended, and the server did not report how');
}
