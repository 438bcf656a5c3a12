import { Refusal, refusals } from './refusal.ts';
import { Accepted, Streamed } from './stream.ts';
import type { Args, Client, ProcedureName } from './types.ts';

/** What stands between a request and its handler. May call `handle` or not, now or later, answer or not. */
type Fault = (handle: () => Promise<unknown>, client: Client) => Promise<unknown>;

export interface Call<N extends ProcedureName = ProcedureName> {
  name: N;
  args: Args<N>;
  client: Client;
}

export interface FaultOptions {
  /** The call takes effect at once, and only its reply suffers. */
  effect?: boolean;
  /** How many calls it meets before it is gone; default: all. */
  times?: number;
}

/**
 * What becomes of a stream in its middle: it fails, says nothing more, leaves out 4096 zeros, or costs the
 * client its connection. One from the client has its trouble with its second packet, and no holes.
 */
export type StreamTrouble = 'fails' | 'stalls' | 'hole' | 'hangs up';

export interface Stuck extends Disposable {
  /** Lets the calls that are stuck go on, and later ones pass. */
  release(): void;
}

const never = new Promise<never>(() => {});

/** The troubles a daemon can have with single procedures; the last one made wins. */
export class Faults {
  readonly #faults = new Map<ProcedureName, Fault[]>();

  perform(name: ProcedureName, client: Client, handle: () => Promise<unknown>): Promise<unknown> {
    const fault = this.#faults.get(name)?.at(-1);
    return fault ? fault(handle, client) : handle();
  }

  hang(name: ProcedureName, options: FaultOptions): Stuck {
    const { promise, resolve } = Promise.withResolvers<void>();
    const fault = this.#add(name, options, async handle => {
      const early = options.effect ? handle() : null;
      await promise;
      return early ?? handle();
    });
    const release = () => {
      fault[Symbol.dispose]();
      resolve();
    };
    return { release, [Symbol.dispose]: release };
  }

  delay(name: ProcedureName, milliseconds: number, options: FaultOptions): Disposable {
    return this.#add(name, options, async handle => {
      const early = options.effect ? handle() : null;
      await new Promise(resolve => setTimeout(resolve, milliseconds).unref());
      return early ?? handle();
    });
  }

  refuse(name: ProcedureName, code: number, message: string, options: FaultOptions): Disposable {
    return this.#add(name, options, async handle => {
      if (options.effect) await handle();
      throw new Refusal({ code, domain: 10, message });
    });
  }

  drop(name: ProcedureName, options: FaultOptions): Disposable {
    return this.#add(name, options, async (handle, client) => {
      if (options.effect) await handle();
      client.destroy();
      return never;
    });
  }

  breakStream(name: ProcedureName, trouble: StreamTrouble, options: FaultOptions): Disposable {
    return this.#add(name, options, async (handle, client) => {
      const answer = await handle();
      if (answer instanceof Accepted) return brokenUpload(answer, trouble, client);
      if (!(answer instanceof Streamed)) return answer;
      switch (trouble) {
        case 'fails':
          return answer.broken([{ error: refusals.streamFailed() }]);
        case 'stalls':
          return answer.broken([], { ends: false });
        case 'hole':
          return answer.with({ hole: 4_096 });
        case 'hangs up':
          return answer.broken([{ act: () => client.destroy() }], { ends: false });
      }
    });
  }

  #add(name: ProcedureName, { times = Number.POSITIVE_INFINITY }: FaultOptions, act: Fault): Disposable {
    const faults = this.#faults.get(name) ?? [];
    this.#faults.set(name, faults);
    const remove = () => {
      const at = faults.indexOf(fault);
      if (at !== -1) faults.splice(at, 1);
    };
    let left = times;
    const fault: Fault = (handle, client) => {
      left -= 1;
      if (left <= 0) remove();
      return act(handle, client);
    };
    faults.push(fault);
    return { [Symbol.dispose]: remove };
  }
}

function brokenUpload(answer: Accepted, trouble: StreamTrouble, client: Client): Accepted {
  switch (trouble) {
    case 'fails':
      return answer.broken(() => {
        throw refusals.uploadFull();
      });
    case 'stalls':
      return answer.broken(() => never);
    case 'hole':
      return answer;
    case 'hangs up':
      return answer.broken(() => client.destroy());
  }
}
