/** The product as a process of its own, and what it says on the broker: for tests that use it as its users do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { connectAsync, type MqttClient } from 'mqtt';
import { stringify } from 'yaml';
import { guest, inLab, type Mosquitto, patience, poll, startMosquitto } from '../lab/lab.ts';
import { isUnprivileged, permit } from './unprivileged.ts';

export const executable = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

export interface BridgeProcess extends AsyncDisposable {
  readonly pid: number | undefined;
  /** Every log line so far, parsed. */
  readonly log: readonly Record<string, unknown>[];
  /** Resolves to the exit code, if it ends by itself. */
  readonly ended: Promise<number | null>;
  /** Resolves to the exit code, null if a signal ended it. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** `dsm2mqtt run` with this configuration; `data_dir` is the test's own unless given. `command`: another `dsm2mqtt`. */
export async function startBridge(
  config: Record<string, unknown>,
  command?: readonly string[],
): Promise<BridgeProcess> {
  const [program = '', ...args] = command ?? (await product(config));
  const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-'));
  const file = join(folder, 'config.yaml');
  await writeFile(
    file,
    stringify({ instance: 'e2e', data_dir: join(folder, 'data'), log: { level: 'debug' }, ...config }),
  );
  const child: ChildProcess = spawn(program, [...args, 'run', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const log: Record<string, unknown>[] = [];
  let partial = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (partial + text).split('\n');
    partial = lines.pop() ?? '';
    log.push(...lines.map(line => JSON.parse(line)));
  });
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    pid: child.pid,
    log,
    ended: exited.then(() => child.exitCode),
    end,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Any other verb of the product, to its end. */
export async function runCli(config: Record<string, unknown>, ...args: string[]): Promise<CliResult> {
  return runCliAs(await product(config), config, ...args);
}

/** Who may do everything, or, with `VITEST_UNPRIVILEGED`, a user whom libvirt permits what this configuration needs. */
export async function product(config: Record<string, unknown>): Promise<readonly string[]> {
  const root = [process.execPath, executable];
  if (!isUnprivileged) return root;
  const prefix = await permit(config, async options => {
    const { code, stdout } = await runCliAs(root, config, 'polkit', ...options);
    return code === 0 ? stdout : null;
  });
  return [...prefix, ...root];
}

/** `command`: another `dsm2mqtt`. */
export async function runCliAs(
  [program = '', ...before]: readonly string[],
  config: Record<string, unknown>,
  ...args: string[]
): Promise<CliResult> {
  const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-cli-'));
  try {
    const file = join(folder, 'config.yaml');
    await writeFile(file, stringify({ data_dir: join(folder, 'data'), ...config }));
    const child = spawn(program, [...before, ...args, '--config', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    return { code, stdout, stderr };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface Heard {
  topic: string;
  text: string;
  retain: boolean;
}

/** Any JSON, read without ceremony. */
export type Json = ReturnType<typeof JSON.parse>;

/** Hears everything on a broker, and keeps it in order. */
export class Listener implements AsyncDisposable {
  readonly heard: Heard[] = [];
  readonly #client: MqttClient;

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload, packet) => {
      this.heard.push({ topic, text: payload.toString(), retain: packet.retain });
    });
  }

  static async on(url: string, login: { username?: string; password?: string } = {}): Promise<Listener> {
    const client = await connectAsync(url, { reconnectPeriod: 100, ...login });
    const listener = new Listener(client);
    await client.subscribeAsync('#', { qos: 1 });
    return listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }

  async publish(topic: string, payload: string, retain = false): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1, retain });
  }

  /** A place in what was heard, to look from. */
  get now(): number {
    return this.heard.length;
  }

  texts(topic: string, from = 0): string[] {
    return this.heard.slice(from).flatMap(message => (message.topic === topic ? [message.text] : []));
  }

  documents(topic: string, from = 0): Json[] {
    return this.texts(topic, from)
      .filter(text => text !== '')
      .map(text => JSON.parse(text));
  }

  /** The latest on a topic, once it satisfies; at most `deadline` milliseconds from now. */
  async text(
    topic: string,
    satisfies: (text: string) => boolean,
    { from = 0, deadline = patience } = {},
  ): Promise<string> {
    const found = await poll(() => this.#latest(topic, satisfies, from), { deadline, what: `a message on ${topic}` });
    return found?.text ?? '';
  }

  #latest(topic: string, satisfies: (text: string) => boolean, from: number): Heard | undefined {
    return this.heard.slice(from).findLast(message => message.topic === topic && satisfies(message.text));
  }

  /** Likewise, for JSON; the first that satisfies. */
  async document(
    topic: string,
    satisfies: (document: Json) => boolean,
    { from = 0, deadline = patience } = {},
  ): Promise<Json> {
    return poll(() => this.documents(topic, from).find(satisfies), { deadline, what: `a document on ${topic}` });
  }
}

/** Whether a response is the last word on its command. */
export const isFinal = ({ status }: Json): boolean => !['accepted', 'progress'].includes(status);

const base = 'dsm2mqtt';

export function vmTopic(tail: string, key = 'DSM'): string {
  return `${base}/${key}/${tail}`;
}

/** The usual bridge of these tests: the guest, sampled every second. */
export function usual(url: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    mqtt: { url },
    libvirt: { stats_interval: '1s' },
    vms: [{ domain: 'DSM', shutdown: { timeout: '1m' } }],
    ...more,
  };
}

/** A running guest, a broker, somebody who listens, and a bridge that has told of the guest. */
export interface Stage extends AsyncDisposable {
  broker: Mosquitto;
  listener: Listener;
  bridge: BridgeProcess;
}

export async function setStage(more: Record<string, unknown> = {}): Promise<Stage> {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.start();
  const broker = await startMosquitto();
  const listener = await Listener.on(broker.url);
  const stage: Stage = {
    broker,
    listener,
    bridge: await startBridge(usual(broker.url, more)),
    async [Symbol.asyncDispose]() {
      // A test may have put another one in its place.
      await stage.bridge[Symbol.asyncDispose]();
      await listener[Symbol.asyncDispose]();
      await broker.stop();
    },
  };
  await listener.text(vmTopic('availability'), text => text === 'online');
  await listener.document(vmTopic('stats'), ({ cpu }) => cpu.percent !== null);
  return stage;
}
