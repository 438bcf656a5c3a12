import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { environment } from './image.ts';

export interface Usage {
  /** Milliseconds of CPU since its start, all threads. */
  cpu: number;
  /** Bytes. */
  resident: number;
  heap: number;
}

/** Something done again and again, measured by the process itself. */
export interface Repeated {
  /** Milliseconds of each. */
  walls: number[];
  /** Milliseconds of CPU of one, all threads, in the mean. */
  cpu: number;
}

interface Answer {
  cpu: NodeJS.CpuUsage;
  memory: NodeJS.MemoryUsage;
}

/** A process that is measured: one of the programs that index.ts has built. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** `options`: Node's. */
  static start(script: string, args: readonly string[], options: readonly string[] = []): Child {
    return new Child(
      fork(fileURLToPath(new URL(`../../dist/bench/${script}.js`, import.meta.url)), args, {
        env: { ...process.env, ...environment },
        execArgv: [...options],
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      }),
    );
  }

  send(message: object): void {
    this.#process.send(message);
  }

  /** The next that it says. Rejects if it ends instead. */
  async heard(): Promise<unknown> {
    const done = new AbortController();
    const { signal } = done;
    try {
      const ended = once(this.#process, 'exit', { signal }).then(([code]) => {
        throw new Error(`a measured process ended with ${code}`);
      });
      const [said] = await Promise.race([once(this.#process, 'message', { signal }), ended]);
      return said;
    } finally {
      done.abort();
    }
  }

  async usage({ gc = false } = {}): Promise<Usage> {
    const answer = this.heard();
    this.send({ gc });
    const { cpu, memory } = (await answer) as Answer;
    return { cpu: (cpu.user + cpu.system) / 1_000, resident: memory.rss, heap: memory.heapUsed };
  }

  /** So many times, `pause` milliseconds apart. */
  async repeat(what: object, { count, pause }: { count: number; pause: number }): Promise<Repeated> {
    const answer = this.heard();
    this.send({ repeat: { count, pause, what } });
    return (await answer) as Repeated;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}
