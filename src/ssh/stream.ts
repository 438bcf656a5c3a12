import { StringDecoder } from 'node:string_decoder';
import type { ClientChannel } from 'ssh2';
import { Announcement } from './wrap.ts';

/**
 * A command's output as text, in the order it arrives, whoever is not ready for it being waited for: then SSH's window
 * closes, with at most a few MiB under way, and the command's next write blocks.
 */

export interface Listener {
  /** Takes output; what it returns is waited for. */
  take(text: string): void | Promise<void>;
  /** It was taken, and somebody had to be waited for or not. */
  ready(waited: boolean): void;
  /** `take` threw or rejected. */
  failed(error: unknown): void;
}

export class Stream {
  readonly #channel: ClientChannel;
  readonly #listener: Listener;
  readonly #announcement = new Announcement();
  readonly #ended = Promise.withResolvers<void>();
  #waiting = 0;
  /** Of stdout and stderr. */
  #open = 2;
  #drained = false;

  constructor(channel: ClientChannel, listener: Listener) {
    this.#channel = channel;
    this.#listener = listener;
    // Writing to a command that has just ended.
    channel.on('error', () => {});
    const decoder = new StringDecoder('utf8');
    channel.on('data', (bytes: Buffer) => this.#say(this.#announcement.feed(decoder.write(bytes))));
    channel.once('end', () => this.#say(this.#announcement.feed(decoder.end()) + this.#announcement.flush()));
    const errors = new StringDecoder('utf8');
    channel.stderr.on('data', (bytes: Buffer) => this.#say(errors.write(bytes)));
    channel.stderr.once('end', () => this.#say(errors.end()));
    channel.once('close', () => this.#close());
    channel.stderr.once('close', () => this.#close());
  }

  /** The command's process group, once it has said so. */
  get group(): number | null {
    return this.#announcement.group;
  }

  /** Somebody is not ready for more. */
  get held(): boolean {
    return this.#waiting > 0 && !this.#drained;
  }

  /** Resolves when nothing more will come: the command's own doing, or its connection's. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Nothing more will come. */
  get over(): boolean {
    return this.#open === 0;
  }

  /** From now on nobody is waited for. */
  drain(): void {
    this.#drained = true;
    this.#flow();
  }

  #say(text: string): void {
    if (text === '') return;
    try {
      const taken = this.#listener.take(text);
      if (taken instanceof Promise) this.#hold(taken);
      else this.#listener.ready(false);
    } catch (error) {
      this.#listener.failed(error);
    }
  }

  #hold(taken: Promise<void>): void {
    this.#waiting++;
    if (!this.#drained) for (const half of [this.#channel, this.#channel.stderr]) half.pause();
    const done = () => {
      this.#waiting--;
      if (this.#waiting > 0) return;
      this.#flow();
      this.#listener.ready(true);
    };
    taken.catch(error => this.#listener.failed(error)).finally(done);
  }

  #flow(): void {
    for (const half of [this.#channel, this.#channel.stderr]) half.resume();
  }

  #close(): void {
    this.#open--;
    if (this.#open === 0) this.#ended.resolve();
  }
}
