import { addAbortListener } from 'node:events';
import type { ClientChannel } from 'ssh2';
import { spell } from '../util/duration.ts';
import { Dialogue, type Prompt } from './dialogue.ts';
import { type CommandEnd, CommandError, type Failure } from './errors.ts';
import { News } from './news.ts';
import type { Shell } from './shell.ts';
import { stop } from './stop.ts';
import { Stream } from './stream.ts';
import { Tail } from './tail.ts';
import { wrap } from './wrap.ts';

/**
 * One long command: its output as it comes, its questions answered, its silence watched, and its end told honestly.
 * Given up, it is stopped first, for closing its channel alone stops nothing. Its stdin stays open to the end: to a
 * `read`, the end of it would mean "no".
 */

export interface RunOptions {
  prompts?: readonly Prompt[];
  /** Sent whole at the start and followed by the end of stdin; no prompt can be answered then. */
  stdin?: Uint8Array;
  /** In a terminal of its own. Default: none. */
  pty?: boolean;
  /** All of the output, in order. Where it returns a promise, the command is made to wait. */
  onOutput?: (text: string) => void | Promise<void>;
  /** Milliseconds without anything new in its output (`News`) after which it is given up. */
  silence: number;
  /** Milliseconds for all of it. */
  deadline: number;
  signal: AbortSignal;
  /** Milliseconds of quiet before a prompt is answered; default 300. */
  settle?: number;
  /** Milliseconds of quiet before an unknown question is told; default 10 s. */
  promptPatience?: number;
  /** Milliseconds that TERM, and KILL after it, may take; default 5 s. */
  grace?: number;
  /** Milliseconds of quiet, after its end, for those it leaves behind with its output open; default 2 s. */
  linger?: number;
}

/** Characters. */
const kept = 65_536;

export class Command {
  readonly #shell: Shell;
  readonly #command: string;
  readonly #options: RunOptions;
  readonly #dialogue: Dialogue;
  readonly #tail = new Tail(kept);
  readonly #answered: string[] = [];
  readonly #began = performance.now();
  /** Why it is given up, or null at its end. */
  readonly #outcome = Promise.withResolvers<Failure | null>();
  #settled = false;
  #exit: Pick<CommandEnd, 'status' | 'signal'> | null = null;
  #heard = this.#began;
  readonly #news = new News();
  /** When it last said something new; whatever time nobody listened does not count. */
  #alive = this.#began;
  #timer: NodeJS.Timeout | undefined;

  constructor(shell: Shell, command: string, options: RunOptions) {
    this.#shell = shell;
    this.#command = command;
    this.#options = options;
    const { settle = 300, promptPatience: patience = 10_000 } = options;
    // Where nothing can be answered, whatever is asked is unknown.
    this.#dialogue = new Dialogue(options.stdin ? [] : (options.prompts ?? []), { settle, patience });
  }

  /** To be called once. */
  async run(): Promise<CommandEnd> {
    const { signal, deadline, grace = 5_000, pty = false } = this.#options;
    const cancelled = () => this.#giveUp('cancelled', 'the command was cancelled', { cause: signal.reason });
    const ended = new AbortController();
    const timer = setTimeout(() => this.#giveUp('deadline', 'the command took too long'), deadline);
    using _ = addAbortListener(signal, cancelled);
    try {
      if (signal.aborted) cancelled();
      if (this.#settled) return this.#end(await this.#outcome.promise);
      const begin = (channel: ClientChannel) => ({ channel, stream: this.#listen(channel) });
      const starting = this.#shell.exec(wrap(this.#command), { pty, signal: ended.signal }, begin);
      // Given up before it began, it may yet have begun: nobody knows.
      const running = await Promise.race([starting, this.#outcome.promise.then(() => null)]);
      const failure = await this.#outcome.promise;
      this.#settled = true;
      clearTimeout(this.#timer);
      if (failure && running) {
        running.stream.drain();
        await stop(this.#shell, running.channel, running.stream, grace);
      }
      running?.channel.close();
      return this.#end(failure);
    } finally {
      ended.abort();
      clearTimeout(timer);
      clearTimeout(this.#timer);
    }
  }

  #end(failure: Failure | null): CommandEnd {
    const said = { tail: this.#tail.text, answered: this.#answered };
    const end = this.#exit && { ...this.#exit, ...said, ms: Math.round(performance.now() - this.#began) };
    if (end && !failure) return end;
    throw new CommandError(failure ?? wordless, { end, ...said });
  }

  #listen(channel: ClientChannel): Stream {
    channel.on('exit', (status: number | null, signal?: string) => {
      this.#exit = { status, signal: signal ?? null };
      this.#heard = performance.now();
      this.#watch(channel, stream);
    });
    const stream: Stream = new Stream(channel, {
      take: text => {
        this.#tail.add(text);
        this.#hear(text);
        return this.#options.onOutput?.(text);
      },
      ready: waited => {
        if (waited) {
          this.#alive += performance.now() - this.#heard;
          this.#hear('');
        }
        this.#watch(channel, stream);
      },
      failed: cause => this.#giveUp('output', 'the output could not be kept', { cause }),
    });
    void stream.ended.then(() => {
      if (this.#exit) this.#conclude(null);
      else if (this.#shell.over) this.#giveUp('connection_lost', 'the connection broke while the command ran');
      else this.#conclude(wordless);
    });
    if (this.#options.stdin) channel.end(this.#options.stdin);
    this.#watch(channel, stream);
    return stream;
  }

  #hear(text: string): void {
    this.#heard = performance.now();
    if (this.#news.feed(text)) this.#alive = this.#heard;
    this.#dialogue.feed(text, this.#heard);
  }

  /** Does what is due, and comes back when something else will be. */
  #watch(channel: ClientChannel, stream: Stream): void {
    clearTimeout(this.#timer);
    // What nobody is ready to hear may be said meanwhile.
    if (this.#settled || stream.held) return;
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
      this.#timer = setTimeout(() => this.#watch(channel, stream), Math.max(1, next - now));
    }
  }

  #answer(channel: ClientChannel, name: string, text: string): void {
    this.#answered.push(name);
    if (channel.writable) channel.write(`${text}\n`);
  }

  #giveUp(code: Failure['code'], message: string, more: Pick<Failure, 'prompt' | 'stall' | 'cause'> = {}): void {
    this.#conclude({ code, message, ...more });
  }

  /** The first word counts. */
  #conclude(failure: Failure | null): void {
    this.#settled = true;
    this.#outcome.resolve(failure);
  }
}

const wordless: Failure = { code: 'outcome_unknown', message: 'the command ended without a word on how' };
