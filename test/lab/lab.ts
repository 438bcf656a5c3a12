/**
 * The lab from the inside: libvirtd, QEMU, the guest and Mosquitto, for tests that run in `scripts/lab`.
 * Nothing here sleeps to hope: every wait is for a condition and has a deadline.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ScenarioName } from '../fakes/dsm/scenario.ts';
import { freePort, pidFrom, reachable, signalTo } from './processes.ts';

const run = promisify(execFile);

/** True inside a lab. */
export function inLab(): boolean {
  return existsSync('/run/dsm2mqtt-lab');
}

/** The lab's name and Debian release. */
export function lab(): { name: string; release: 'bookworm' | 'forky' } {
  return JSON.parse(readFileSync('/run/dsm2mqtt-lab', 'utf8'));
}

/** The lab's fixed addresses: libvirt's sockets, the host's end of the bridge, the guest, and the domain's identity. */
export const address = {
  socket: '/run/libvirt/libvirt-sock',
  socketReadOnly: '/run/libvirt/libvirt-sock-ro',
  bridge: 'br0',
  host: '10.99.0.1',
  guest: '10.99.0.20',
  domain: 'DSM',
  uuid: '186682f9-0f0b-4a9e-867b-364706339405',
  mac: '52:54:00:d5:30:01',
  serialLog: '/var/log/dsm-serial.log',
  images: '/var/lib/libvirt/images',
} as const;

/** Milliseconds for anything in the lab: on a loaded machine it may take ten times its time. */
export const patience = 180_000;

export type PollOptions = { deadline?: number; interval?: number; what?: string };

/** What is left when it has held. */
type Held<T> = Exclude<T, false | null | undefined>;

/**
 * Asks again every few milliseconds until `probe` returns something truthy, and returns that.
 * A probe that throws is asked again too; its last error is the cause of the rejection at the deadline.
 */
export async function poll<T>(probe: () => T | Promise<T>, options: PollOptions = {}): Promise<Held<T>> {
  const { deadline = patience, interval = 30, what = 'the condition' } = options;
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  // A probe that hangs must not outlast the deadline.
  const end = new Promise<undefined>(resolve => {
    timer = setTimeout(() => {
      over = true;
      resolve(undefined);
    }, deadline);
  });
  let cause: unknown;
  try {
    while (!over) {
      try {
        const value = await Promise.race([probe(), end]);
        if (value) return value as Held<T>;
        cause = undefined;
      } catch (error) {
        cause = error;
      }
      await Promise.race([new Promise(resolve => setTimeout(resolve, interval)), end]);
    }
    throw new Error(`${what} did not hold within ${deadline} ms`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs virsh on qemu:///system (another URI: `virsh('-c', uri, …)`) and returns what it printed.
 * Rejects with its stderr, or when it does not end.
 */
export async function virsh(...args: string[]): Promise<string> {
  try {
    const { stdout } = await run('virsh', ['-q', ...args], { maxBuffer: 64 << 20, timeout: patience });
    return stdout.trimEnd();
  } catch (error) {
    const stderr = (error as { stderr?: string }).stderr?.trim();
    throw new Error(`virsh ${args.join(' ')}: ${stderr || (error as Error).message}`, { cause: error });
  }
}

/** The libvirt daemon. Killing it leaves the guest running, as on a real host. */
export const libvirtd = {
  /** Its process id, or undefined while it is down. */
  pid: (): number | undefined => pidFrom('/run/libvirtd.pid'),

  /** Resolves when the process is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const pid = libvirtd.pid();
    if (pid === undefined) return;
    process.kill(pid, signal);
    await poll(() => !existsSync(`/proc/${pid}`), { what: `the end of libvirtd (${signal})` });
  },

  /** Resolves when its socket answers; does nothing if it is up. */
  async start(): Promise<void> {
    if (libvirtd.pid() === undefined) await run('libvirtd', ['-d', '-l']);
    await poll(() => reachable({ path: address.socket }), { what: 'libvirtd' });
  },

  /** Stops it in its tracks: sockets stay open and nobody answers. */
  freeze(): void {
    signalTo(libvirtd.pid(), 'SIGSTOP');
  },

  thaw(): void {
    signalTo(libvirtd.pid(), 'SIGCONT');
  },
};

/** The process id of a domain's QEMU, or undefined while it is off. */
export function qemuPid(domain: string = address.domain): number | undefined {
  return pidFrom(`/run/libvirt/qemu/${domain}.pid`);
}

/** The state in virsh's words: `running`, `shut off`, … */
export function domainState(domain: string = address.domain): Promise<string> {
  return virsh('domstate', domain);
}

/** The DSM-shaped guest. */
export const guest = {
  /** Runs a shell script in the guest as root; `output` is stdout and stderr together. */
  async run(
    script: string,
    { deadline = patience }: { deadline?: number } = {},
  ): Promise<{ code: number; output: string }> {
    const signal = AbortSignal.timeout(deadline);
    const url = `http://${address.guest}:9990/cgi-bin/run`;
    const response = await fetch(url, { method: 'POST', body: script, signal });
    const code = response.headers.get('x-exit-code');
    if (code === null) throw new Error(`the guest did not run the script: HTTP ${response.status}`);
    return { code: Number(code), output: await response.text() };
  },

  /** Resolves when the guest runs scripts and answers the network; as a DSM that is up, until told otherwise. */
  async up(deadline = patience): Promise<void> {
    const served = async () => (await guest.run('[ -s /run/served ]', { deadline: 1_000 })).code === 0;
    await poll(served, { deadline, what: 'the guest' });
  },

  /** Starts the domain unless it runs, and waits for the guest. */
  async start(deadline = patience): Promise<void> {
    if ((await domainState()) === 'shut off') await virsh('start', address.domain);
    await guest.up(deadline);
  },

  /** Of a guest that is off: what it answers as from its next boot on; `up` unless told otherwise. */
  async bootScenario(name: ScenarioName): Promise<void> {
    const disk = await open(join(address.images, 'sdb.img'), 'r+');
    await using _ = { [Symbol.asyncDispose]: () => disk.close() };
    await disk.write(`scenario ${name} \n`, 0);
  },

  /** Has it answer as DSM does in this phase, from now on; resolves when it does. The next boot begins anew. */
  async scenario(name: ScenarioName): Promise<void> {
    const { code, output } = await guest.run(`scenario '${name}'`);
    if (code !== 0) throw new Error(output.trim());
  },

  /** What was asked of it since the scenario began, in order: `5000 GET /path?query`, or `9999 query` for discovery. */
  async requests(): Promise<string[]> {
    const { output } = await guest.run('cat /run/requests 2>/dev/null');
    return output.split('\n').filter(line => line !== '');
  },

  /** Its kernel stops, as in a panic but without the load: the domain runs on, nothing answers. `off` and `start` help. */
  async hang(): Promise<void> {
    await guest.run('(sleep 0.2; halt -f) >/dev/null 2>&1 &');
    const silent = () =>
      guest.run(':', { deadline: 500 }).then(
        () => false,
        () => true,
      );
    await poll(silent, { what: 'the end of the guest' });
  },

  /** Makes it ignore the power button, or hear it again. */
  async deaf(ignores = true): Promise<void> {
    const [from, to] = ignores ? ['PWRF', 'off'] : ['off', 'PWRF'];
    const { code, output } = await guest.run(`mv /etc/acpi/${from} /etc/acpi/${to}`);
    if (code !== 0) throw new Error(`the guest's power button: ${output}`);
  },

  /** Cuts the domain's power unless it is off. */
  async off(): Promise<void> {
    if ((await domainState()) !== 'shut off') await virsh('destroy', address.domain);
  },

  /** What the guest wrote to its serial console since its last start. */
  serial(): string {
    return existsSync(address.serialLog) ? readFileSync(address.serialLog, 'utf8') : '';
  },
};

export type MosquittoOptions = {
  /** Default: a free one. */
  port?: number;
  /** Keep retained messages over kill and start. */
  persistence?: boolean;
  /** Whoever has no user may do everything; default true. */
  anonymous?: boolean;
  /** Further lines of mosquitto.conf. */
  config?: string[];
};

export type Mosquitto = AsyncDisposable & {
  readonly port: number;
  readonly url: string;
  readonly pid: number | undefined;
  /** What it has logged so far. */
  log(): string;
  /** Resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** On the same port with the same configuration; resolves when it accepts connections. */
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
};

/** A Mosquitto of the test's own, on loopback, open to everyone. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), 'mosquitto-'));
  const file = join(folder, 'mosquitto.conf');
  await writeFile(
    file,
    [
      'user root',
      `listener ${port} 127.0.0.1`,
      `allow_anonymous ${options.anonymous ?? true}`,
      `persistence ${options.persistence ?? false}`,
      `persistence_location ${folder}/`,
      'autosave_interval 1',
      'autosave_on_changes true',
      ...(options.config ?? []),
      '',
    ].join('\n'),
  );

  let child: ChildProcess | undefined;
  let exited: Promise<void> = Promise.resolve();
  let log = '';

  const broker: Mosquitto = {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    get pid() {
      return child?.pid;
    },
    log: () => log,
    async kill(signal = 'SIGKILL') {
      child?.kill(signal);
      await exited;
    },
    async start() {
      if (child) return;
      const process = spawn('/usr/sbin/mosquitto', ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
      child = process;
      process.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
      exited = new Promise(resolve => {
        process.once('close', () => {
          child = undefined;
          resolve();
        });
      });
      await new Promise((resolve, reject) => process.once('spawn', resolve).once('error', reject));
      const up = async () => (child === undefined ? 'ended' : (await reachable({ host: '127.0.0.1', port })) && 'up');
      if ((await poll(up, { what: 'Mosquitto' })) === 'ended') throw new Error(`Mosquitto ended: ${log}`);
    },
    async stop() {
      const ended = broker.kill('SIGTERM');
      child?.kill('SIGCONT');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => broker.stop(),
  };
  await broker.start();
  return broker;
}
