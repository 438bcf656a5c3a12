/**
 * `npm run bench`: how long the bridge takes and what it costs, each figure beside the least that the same bytes could
 * cost, measured in the same run. The bridge runs from `dist`, built first, in a process of its own; libvirtd and the
 * broker are in this one, over a unix and a loopback socket. docs/benchmark.md says what the figures mean.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { parse } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from '../../scripts/build.ts';
import { inLab } from '../lab/lab.ts';
import { boot } from './boot.ts';
import { check } from './check.ts';
import { checkedEvent } from './checked-event.ts';
import { command } from './command.ts';
import { driver } from './driver.ts';
import { event } from './event.ts';
import { fleet } from './fleet.ts';
import { hosts } from './hosts.ts';
import { idle } from './idle.ts';
import { memory } from './memory.ts';
import { others } from './others.ts';
import { page } from './page.ts';
import { poll } from './poll.ts';
import { growth, isMissed, machine, progress, type Section, table } from './report.ts';
import { soak } from './soak.ts';
import { start } from './start.ts';

const usage = `usage: npm run bench -- [--quick] [--only NAME,…] [--soak MINUTES] [--json FILE]
  --quick   the same with few samples, in a minute
  --only    some of: event command poll check checked-event hosts boot memory start idle page
  --soak    one poll a second for so many minutes, and nothing else
  --peers   collectd, prometheus-libvirt-exporter and virsh beside the bridge, in the lab; 20 minutes, or 2 with --quick
  --fleet   bridges on three NATS servers, in the lab; three in five minutes with --quick
  --size    of the fleet: bridges, and more of them simulated by one process; 40,20 unless told otherwise
`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    soak: { type: 'string' },
    peers: { type: 'boolean', default: false },
    fleet: { type: 'boolean', default: false },
    size: { type: 'string', default: '40,20' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

type Measurement = readonly [name: string, () => Promise<Section | Section[]>];

const whole: readonly Measurement[] = [
  ['event', () => event(400)],
  ['command', () => command(150)],
  ['poll', () => poll({ domains: 1, interval: 10, warm: 2_000, polls: 300 })],
  ['poll', () => poll({ domains: 10, interval: 15, warm: 600, polls: 150 })],
  ['poll', () => poll({ domains: 100, interval: 60, warm: 200, polls: 60 })],
  ['poll', () => poll({ domains: 1_000, interval: 1_000, warm: 60, polls: 30 })],
  ['check', () => check(200)],
  ['checked-event', () => checkedEvent(400)],
  ['hosts', () => hosts(300, 30)],
  ['boot', async () => boot(30)],
  ['memory', () => memory()],
  ['start', () => start(11)],
  ['idle', () => idle(60)],
  ['page', () => page(60)],
];
const quick: readonly Measurement[] = [
  ['event', () => event(40)],
  ['command', () => command(10)],
  ['poll', () => poll({ domains: 1, interval: 10, warm: 20, polls: 20 })],
  ['poll', () => poll({ domains: 100, interval: 50, warm: 20, polls: 10 })],
  ['check', () => check(10)],
  ['checked-event', () => checkedEvent(20)],
  ['hosts', () => hosts(20, 2)],
  ['boot', async () => boot(5)],
  ['memory', () => memory(240)],
  ['start', () => start(2)],
  ['idle', () => idle(2)],
  ['page', () => page(2)],
];

if (values.help) process.stdout.write(usage);
else {
  if (!inLab()) await build();
  const layer = values.peers ? 'peers' : values.fleet ? 'brokers' : null;
  if (layer !== null && !inLab()) enterLab(layer);
  else await run();
}

async function run(): Promise<void> {
  const sections: Section[] = [];
  for (const [name, measure] of plan()) {
    progress(name);
    sections.push(...[await measure()].flat());
  }
  const missed = sections.flatMap(({ title, rows }) => rows.filter(isMissed).map(({ name }) => `${title}: ${name}`));
  process.stdout.write(`${machine()}\n\n${table(sections)}\n`);
  const grown = growth(sections);
  if (grown) process.stdout.write(`\n${grown}\n`);
  if (missed.length > 0) process.stdout.write(`\nGoals missed:\n${missed.map(line => `  ${line}\n`).join('')}`);
  if (values.json) await writeFile(values.json, `${JSON.stringify({ machine: machine(), sections }, null, 2)}\n`);
}

/** The same program, beside a real libvirtd and with what others watch it with. */
function enterLab(layer: 'peers' | 'brokers'): void {
  const lab = fileURLToPath(new URL('../../scripts/lab', import.meta.url));
  const own = [process.execPath, ...process.argv.slice(1)];
  const release = layer === 'brokers' ? 'forky' : 'bookworm';
  const options = ['--release', release, '--with', layer, '--name', `bench-${process.pid}`];
  const { status } = spawnSync(lab, [...options, ...own], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}

function plan(): readonly Measurement[] {
  if (values.peers) {
    const extent = values.quick ? { rounds: 1, warm: 5, polls: 10 } : { rounds: 2, warm: 40, polls: 40 };
    return wanted([
      ['driver', () => driver(values.quick ? 100 : 1_000, values.quick ? 20 : 200)],
      ['peers', () => others(extent)],
    ]);
  }
  if (values.fleet) {
    const [real = 0, simulated = 0] = values.size.split(',').map(Number);
    return [['fleet', () => fleet(values.quick ? { real: 3, simulated: 3, vms: 2 } : { real, simulated, vms: 10 })]];
  }
  if (values.soak) return [['soak', () => soak(Number(values.soak))]];
  return wanted(values.quick ? quick : whole);
}

function wanted(all: readonly Measurement[]): readonly Measurement[] {
  const names = values.only?.split(',');
  return all.filter(([name]) => !names || names.includes(name));
}

/** The bridge, and the measured programs with its code in them. */
async function build(): Promise<void> {
  process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  const files = ['subject.ts', 'check-subject.ts', 'bare.js', 'check-bare.js'];
  await bundle('dist', Object.fromEntries(files.map(file => [`bench/${parse(file).name}`, `test/bench/${file}`])));
}
