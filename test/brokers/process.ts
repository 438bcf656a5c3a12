import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { poll } from '../lab/lab.ts';
import { freePort } from '../lab/processes.ts';

export interface Launch {
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** What it prints when it can be used. */
  ready: string;
}

/** A server's process, with a folder and a port of its own that it keeps from start to start. */
export class BrokerProcess implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly #launch: (broker: BrokerProcess) => Promise<Launch>;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #log = '';

  private constructor(folder: string, port: number, launch: (broker: BrokerProcess) => Promise<Launch>) {
    this.folder = folder;
    this.port = port;
    this.#launch = launch;
  }

  /** `launch` is asked at each start. */
  static async make(name: string, launch: (broker: BrokerProcess) => Promise<Launch>): Promise<BrokerProcess> {
    return new BrokerProcess(await mkdtemp(join(tmpdir(), `${name}-`)), await freePort(), launch);
  }

  /** What it has printed since its start. */
  get log(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    const { command, args, env, ready } = await this.#launch(this);
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
    // A group of its own: RabbitMQ's is a script that starts another program.
    const child = spawn(command, args, { stdio, env: { ...process.env, ...env }, detached: true });
    this.#child = child;
    this.#log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text;
      });
    }
    this.#exited = new Promise(resolve => {
      child.once('error', resolve).once('close', () => {
        this.#child = undefined;
        resolve();
      });
    });
    const up = () => (this.#child ? this.#log.includes(ready) && 'up' : 'ended');
    if ((await poll(up, { what: command })) === 'ended') throw new Error(`${command} ended: ${this.#log}`);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child?.pid) process.kill(-this.#child.pid, signal);
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}
