import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { address, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { freePort } from '../lab/processes.ts';
import { entrypoint } from './image.ts';
import { spread } from './numbers.ts';
import { configuration } from './peers.ts';
import { measured, progress, type Section } from './report.ts';

/** What watches libvirt, as somebody would start it. */
interface Watcher {
  name: string;
  command: readonly string[];
  /** Something that comes once a second if it is not the program itself that does. */
  poll?: () => Promise<void>;
  /** Resolves after so many publications of what it publishes of each guest each second; not here in time, it rejects. */
  heard?: (count: number) => Promise<unknown>;
}

/** How often each has its turn, and how many polls come before those that are measured. */
export interface Extent {
  rounds: number;
  warm: number;
  polls: number;
}

interface Figures {
  /** Milliseconds of CPU of one poll. */
  cpu: number[];
  /** MiB. */
  resident: number[];
}

const run = promisify(execFile);
const guests = Array.from({ length: 10 }, (_, i) => `peer-${i}`);

/**
 * The bridge and what others watch libvirt with, in turns, on the same ten guests: QEMU, a real libvirtd and a real
 * Mosquitto, one poll a second. The guests run, and then are paused: of those, collectd says nothing. Runs in the lab
 * with the layer `peers`.
 */
export async function others(extent: Extent): Promise<Section[]> {
  const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-bench-'));
  await using broker = await startMosquitto();
  await using _ = await startGuests(folder);
  const watchers = await watchersOf(folder, broker.port);
  const running = await inTurns(watchers, 'running', extent);
  for (const name of guests) await virsh('suspend', name);
  const paused = await inTurns(watchers, 'paused', extent);
  await rm(folder, { recursive: true, force: true });
  return [running, paused];
}

async function inTurns(watchers: readonly Watcher[], state: 'running' | 'paused', extent: Extent): Promise<Section> {
  const seen = new Map<string, Figures>();
  const note = (name: string, { cpu, resident }: Figures) => {
    const known = seen.get(name) ?? { cpu: [], resident: [] };
    seen.set(name, { cpu: [...known.cpu, ...cpu], resident: [...known.resident, ...resident] });
  };
  for (let round = 1; round <= extent.rounds; round++) {
    progress(`${state} guests, round ${round} of ${extent.rounds}`);
    for (const watcher of watchers) note(watcher.name, await watch(watcher, state, extent));
    note(virshName, { cpu: await domstats(Math.ceil(extent.polls / 3)), resident: [] });
  }
  const cpu = (name: string) => spread(seen.get(name)?.cpu ?? []);
  const limit = Math.min(cpu('collectd').median, cpu(virshName).median / 10);
  const rows = [...seen].flatMap(([name, { resident }]) => [
    measured(name, 'ms CPU', cpu(name), name === ours ? { limit, on: 'median' } : null),
    ...(resident.length > 0 ? [measured(`${name}, resident`, 'MiB', spread(resident))] : []),
  ]);
  return { title: `a poll of ten ${state} guests (goal: collectd’s, and a tenth of virsh’s)`, rows };
}

const [ours, virshName] = ['dsm2mqtt', 'virsh domstats'];

async function watchersOf(folder: string, port: number): Promise<Watcher[]> {
  const config = join(folder, 'config.yaml');
  await writeFile(config, configuration(folder, 'qemu:///system', port, guests));
  const collectd = join(folder, 'collectd.conf');
  await writeFile(
    collectd,
    [
      `BaseDir "${folder}"`,
      'Interval 1',
      'LoadPlugin virt',
      'LoadPlugin mqtt',
      '<Plugin virt>\n  Connection "qemu:///system"\n</Plugin>',
      `<Plugin mqtt>\n  <Publish "bench">\n    Host "127.0.0.1"\n    Port ${port}\n    Prefix "collectd"\n  </Publish>\n</Plugin>`,
      '',
    ].join('\n'),
  );
  const web = await freePort();
  const hear = (topic: string) => (count: number) =>
    run('mosquitto_sub', ['-p', `${port}`, '-t', topic, '-C', `${count}`, '-W', '10']);
  return [
    { name: ours, command: [...entrypoint, 'run', '--config', config], heard: hear('dsm2mqtt/+/stats') },
    { name: 'collectd', command: ['collectd', '-f', '-C', collectd], heard: hear('collectd/+/virt/virt_cpu_total') },
    {
      name: 'prometheus-libvirt-exporter',
      command: ['prometheus-libvirt-exporter', `--web.listen-address=127.0.0.1:${web}`],
      poll: async () => {
        const text = await (await fetch(`http://127.0.0.1:${web}/metrics`)).text();
        const missing = guests.filter(name => !text.includes(`"${name}"`));
        if (missing.length > 0) throw new Error(`the exporter says nothing of ${missing.join(', ')}`);
      },
    },
  ];
}

/** One of them alone: after `warm` polls, what the next ones take. */
async function watch(watcher: Watcher, state: 'running' | 'paused', { warm, polls }: Extent): Promise<Figures> {
  const [command = '', ...args] = watcher.command;
  const child = spawn(command, args, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const failed = ended.then(([code]) => Promise.reject(new Error(`${watcher.name} ended with ${code}`)));
  failed.catch(() => {});
  const pass = async (count: number) => {
    for (let i = 0; i < count; i++)
      await Promise.race([failed, Promise.all([delay(1_000), i > 0 && watcher.poll?.()])]);
  };
  try {
    await pass(warm);
    // Of all guests, twice.
    const published = state === 'running' && watcher.heard?.(2 * guests.length);
    const before = await nanoseconds(child.pid);
    await pass(polls);
    const cpu = (await nanoseconds(child.pid)) - before;
    await published;
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
    const resident = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
    return { cpu: [cpu / 1e6 / polls], resident: [resident] };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

/** CPU of all threads. The process's own count has steps of ten milliseconds, a thread's has none. */
export async function nanoseconds(pid: number | undefined): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const times = await Promise.all(threads.map(id => readFile(`/proc/${pid}/task/${id}/schedstat`, 'utf8')));
  return times.reduce((sum, line) => sum + Number(line.split(' ')[0]), 0);
}

/** Milliseconds of CPU of `virsh domstats`, a process each time. */
async function domstats(count: number): Promise<number[]> {
  const script = `TIMEFORMAT="%3U %3S"; for ((i = 0; i < ${count}; i++)); do time virsh domstats >/dev/null; sleep 1; done`;
  const { stderr } = await run('bash', ['-c', script]);
  return [...stderr.matchAll(/^(\S+) (\S+)$/gm)].map(([, user, system]) => 1_000 * (Number(user) + Number(system)));
}

/** Guests with DSM's devices, whose disk boots into an endless halt: running, for next to no CPU. */
async function startGuests(folder: string): Promise<AsyncDisposable> {
  const dsm = await readFile(new URL('../lab/dsm.xml', import.meta.url), 'utf8');
  for (const [i, name] of guests.entries()) {
    const xml = dsm
      .replace('<name>DSM<', `<name>${name}<`)
      .replace(address.uuid, `00000000-0000-4000-8000-00000000000${i}`)
      .replace(address.mac, `52:54:00:00:00:0${i}`)
      .replaceAll('>2048<', '>64<')
      .replace(/<loader[\s\S]*<\/nvram>/, '')
      .replace(address.serialLog, `${folder}/${name}.log`)
      .replaceAll(`${address.images}/`, `${folder}/${name}-`);
    const file = join(folder, `${name}.xml`);
    await writeFile(file, xml);
    for (const disk of ['sda', 'sdb', 'loader']) await writeFile(join(folder, `${name}-${disk}.img`), haltingDisk());
    await virsh('create', file);
  }
  const halted = async () => (await Promise.all(guests.map(isHalted))).every(Boolean);
  await poll(halted, { interval: 1_000, what: 'the halt of all guests' });
  return {
    async [Symbol.asyncDispose]() {
      for (const name of guests) await virsh('destroy', name);
    },
  };
}

/** A boot sector that says `cli; hlt`, again and again. */
function haltingDisk(): Buffer {
  const disk = Buffer.alloc(1 << 20);
  disk.set([0xfa, 0xf4, 0xeb, 0xfc]);
  disk.set([0x55, 0xaa], 510);
  return disk;
}

async function isHalted(name: string): Promise<boolean> {
  const cpus = await virsh('qemu-monitor-command', name, '--hmp', 'info cpus');
  const where = await virsh('qemu-monitor-command', name, '--hmp', 'info registers');
  return cpus.length > 0 && /^[ER]IP=(?:0{8})?00007c0[0-9a-f] .*HLT=1/m.test(where);
}
