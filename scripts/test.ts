/**
 * `scripts/test`, once the npm packages are there: runs every section, three at a time where none needs another.
 * Each section writes to a file of its own; that of a section that fails is shown whole.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

interface Section {
  name: string;
  command: readonly string[];
  /** Sections that must have passed before it starts. */
  after?: readonly string[];
  /** It measures time, or finds most faults soonest: nothing runs beside it. */
  alone?: boolean;
}

interface Running {
  section: Section;
  child: ChildProcess;
  log: string;
  began: number;
}

/** `scripts/lab`: this machine can have no such lab. Its last line says why. */
const unable = 69;
/** Milliseconds. */
const graceAfterStop = 15_000;

const code = 'types, lint, dead code, fast tests';
const made = 'a release, twice the same';
const roots = {
  bookworm: "the lab's Debian bookworm",
  forky: "the lab's Debian forky",
  container: "the lab's Debian bookworm, with podman",
  release: "the lab's Debian bookworm, with what judges packages",
  homeAssistant: "the lab's Debian forky, with Home Assistant",
  brokers: "the lab's Debian forky, with NATS, RabbitMQ and Prometheus",
};

/** The tests of the whole bridge that need the most different rights; docs/lab.md says how to run the others so. */
const withoutRights = ['hosts', 'remote', 'definition'].map(name => `test/e2e/${name}`);

/** In the order in which they start. */
const all: readonly Section[] = [
  { name: code, command: ['npm', 'run', 'check'], alone: true },
  { name: 'the benchmark, short', command: ['npm', 'run', 'bench', '--', '--quick'], alone: true },
  { name: roots.bookworm, command: root('bookworm') },
  // The longest ones, in halves: then no lab is left alone at the end.
  {
    name: 'the loader in the lab, Debian bookworm, 1 of 2',
    command: [...inLab('a', 'bookworm', null, 'loader'), '--shard', '1/2'],
    after: [roots.bookworm],
  },
  {
    name: 'all else in the lab, Debian bookworm, 2 of 2',
    command: [...inLab('b', 'bookworm', null, 'lab'), '--shard', '2/2'],
    after: [roots.bookworm],
  },
  {
    name: 'all else in the lab, Debian bookworm, 1 of 2',
    command: [...inLab('i', 'bookworm', null, 'lab'), '--shard', '1/2'],
    after: [roots.bookworm],
  },
  {
    name: 'the loader in the lab, Debian bookworm, 2 of 2',
    command: [...inLab('j', 'bookworm', null, 'loader'), '--shard', '2/2'],
    after: [roots.bookworm],
  },
  { name: 'build', command: ['npm', 'run', 'build'], after: [code] },
  { name: 'workflows and shell scripts', command: ['scripts/lint-workflows'] },
  { name: 'the documentation site', command: ['node', 'scripts/site.ts'] },
  { name: 'what was built starts', command: ['test/cli/built'], after: ['build'] },
  // Both may install mmdebstrap.
  { name: roots.forky, command: root('forky'), after: [roots.bookworm] },
  {
    name: 'the contracts in the lab, Debian forky',
    command: [...inLab('c', 'forky', null, 'lab'), 'test/contract', 'test/e2e/rights'],
    after: [roots.forky],
  },
  {
    name: 'a bridge without rights in the lab, Debian bookworm',
    command: ['env', 'VITEST_UNPRIVILEGED=1', ...inLab('k', 'bookworm', null, 'lab'), ...withoutRights],
    after: [roots.bookworm],
  },
  { name: roots.container, command: root('bookworm', 'container'), after: [roots.bookworm] },
  { name: made, command: ['test/release/make'], after: [roots.container] },
  { name: 'the image, hardened', command: inLab('d', 'bookworm', 'container'), after: [made] },
  { name: roots.release, command: root('bookworm', 'release'), after: [roots.bookworm] },
  {
    name: 'the packages of a release, installed',
    command: inLab('g', 'bookworm', 'release'),
    after: [made, roots.release],
  },
  { name: roots.homeAssistant, command: root('forky', 'home-assistant'), after: [roots.bookworm, roots.forky] },
  {
    name: 'a real Home Assistant',
    command: inLab('e', 'forky', 'home-assistant'),
    after: [roots.homeAssistant],
  },
  { name: roots.brokers, command: root('forky', 'brokers'), after: [roots.forky] },
  { name: 'other brokers', command: inLab('h', 'forky', 'brokers'), after: [roots.brokers] },
  { name: 'the demo, simulated', command: ['scripts/demo', '--embedded', '--for', '5s'] },
  {
    name: 'the demo, real',
    command: ['scripts/demo', '--name', labName('f'), '--for', '15s'],
    after: [roots.bookworm],
  },
];

/** A lab of its own: another may be up for this repository, with somebody watching it. */
function labName(which: string): string {
  return `test-${process.pid}-${which}`;
}

function root(release: string, layer: string | null = null): string[] {
  return [...lab(release, layer), '--root-only'];
}

/** `project`: of vitest; the tests of a layer have its name. */
function inLab(which: string, release: string, layer: string | null, project = layer ?? 'lab'): string[] {
  return [...lab(release, layer), '--name', labName(which), 'node_modules/.bin/vitest', 'run', '--project', project];
}

function lab(release: string, layer: string | null): string[] {
  return ['scripts/lab', '--release', release, ...(layer ? ['--with', layer] : [])];
}

/** Parts of the names of the only sections to run, with what they need. None: all. */
const parts = process.argv.slice(2);
if (parts[0] === '--list') {
  for (const { name } of all) console.log(name);
  process.exit();
}
const sections = parts.length === 0 ? all : named();

function named(): Section[] {
  const unknown = parts.find(part => !all.some(({ name }) => name.includes(part)));
  if (unknown !== undefined) {
    console.error(`There is no section '${unknown}': scripts/test --list`);
    process.exit(2);
  }
  const names = new Set<string>();
  const add = ({ name, after = [] }: Section): void => {
    names.add(name);
    for (const section of all) if (after.includes(section.name)) add(section);
  };
  for (const section of all) if (parts.some(part => section.name.includes(part))) add(section);
  return all.filter(({ name }) => names.has(name));
}

/** Before a command: it ends with this process, whatever ends that. Only Linux has it. */
const tied = spawnSync('setpriv', ['--version']).status === 0 ? ['setpriv', '--pdeathsig', 'TERM'] : [];
/** The labs wait for their guests most of the time, so there is one more than there are cores. */
const slots = Math.min(3, availableParallelism() + 1);
const folder = mkdtempSync(join(tmpdir(), 'dsm2mqtt-test-'));
const startedAt = performance.now();
const waiting = [...sections];
const running = new Set<Running>();
const passed = new Set<string>();
/** Why a section cannot run on this machine, by its name. */
const skipped = new Map<string, string>();
const report: string[] = [];
let failure: string | null = null;
const stop = new AbortController();

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    process.exitCode ??= 128 + constants.signals[name];
    // A terminal has sent SIGINT to the sections as well.
    if (!stop.signal.aborted) stopAll(name === 'SIGINT' && process.stdin.isTTY ? null : 'SIGTERM');
  });
}

const atTerminal = process.stdout.isTTY;
const ticker = setInterval(tellProgress, atTerminal ? 1_000 : 60_000);
startNext();

/** Starts what can start. Ends the whole when nothing runs and nothing waits. */
function startNext(): void {
  while (running.size < slots && !stop.signal.aborted && ![...running].some(({ section }) => section.alone)) {
    skipWhatCannotRun();
    const next = waiting.find(section => isReady(section));
    if (!next) break;
    waiting.splice(waiting.indexOf(next), 1);
    void run(next);
  }
  if (running.size === 0) finish();
}

function isReady({ after = [], alone }: Section): boolean {
  return after.every(name => passed.has(name)) && !(alone && running.size > 0);
}

function skipWhatCannotRun(): void {
  for (const section of [...waiting]) {
    const lacking = section.after?.find(name => skipped.has(name));
    if (lacking === undefined) continue;
    waiting.splice(waiting.indexOf(section), 1);
    skip(section.name, skipped.get(lacking) ?? '');
  }
}

function skip(name: string, why: string): void {
  skipped.set(name, why);
  report.push(`          SKIPPED  ${name}: ${why}`);
}

async function run(section: Section): Promise<void> {
  const log = join(folder, `${sections.indexOf(section)}.log`);
  const output = openSync(log, 'w');
  say(`started: ${section.name}`);
  const [program = '', ...args] = [...tied, ...section.command];
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  const one = { section, child, log, began: performance.now() };
  running.add(one);
  const [status] = await once(child, 'exit').catch((error: Error) => [error.message]);
  closeSync(output);
  running.delete(one);
  ended(one, status);
  startNext();
}

function ended({ section: { name }, log, began }: Running, status: number | string | null): void {
  const text = stripVTControlCharacters(readFileSync(log, 'utf8'));
  const took = `${String(seconds(began)).padStart(6)} s`;
  if (stop.signal.aborted) {
    report.push(`${took}  stopped  ${name}`);
  } else if (status === 0) {
    passed.add(name);
    const line = `${took}  ok       ${name}${testsOf(text)}`;
    report.push(line);
    say(line.trim());
  } else if (status === unable) {
    skip(name, lastLine(text));
    say(`skipped: ${name}`);
  } else {
    failure = `'${name}' (exit code ${status})`;
    process.exitCode = typeof status === 'number' ? status : 1;
    report.push(`${took}  FAILED   ${name}`);
    process.stdout.write(`\n== ${name}\n\n${text}\n`);
    stopAll('SIGTERM');
  }
}

/** `null`: they know already. */
function stopAll(signal: NodeJS.Signals | null): void {
  stop.abort();
  for (const { child } of running) if (signal) child.kill(signal);
  setTimeout(() => {
    for (const { child } of running) child.kill('SIGKILL');
  }, graceAfterStop).unref();
}

function finish(): void {
  clearInterval(ticker);
  rmSync(folder, { recursive: true, force: true });
  const total = `in ${seconds(startedAt)} s`;
  const unmet = sections.length - passed.size - skipped.size;
  const lines = ['', ...report, ''];
  if (failure) lines.push(`scripts/test FAILED at ${failure} ${total}: ${passed.size} passed, the rest was stopped.`);
  else if (unmet > 0) lines.push(`scripts/test was interrupted ${total}: ${passed.size} passed, ${unmet} not run.`);
  else if (skipped.size > 0) {
    if (parts.length > 0) process.exitCode ??= unable;
    lines.push(`scripts/test: ${passed.size} passed, ${skipped.size} SKIPPED (see above), ${total}.`);
  } else lines.push(`scripts/test: ${passed.size} passed, 0 failed, ${total}.`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

function tellProgress(): void {
  const now = [...running].map(({ section, began, log }) => {
    const last = lastLine(stripVTControlCharacters(readFileSync(log, 'utf8'))).slice(0, 60);
    return `${section.name} (${seconds(began)} s${last === '' ? '' : `: ${last}`})`;
  });
  say(now.join(' | '), true);
}

/** `passing`: on a terminal, the next line takes its place. */
function say(text: string, passing = false): void {
  const line = `${clock()}  ${text}`;
  if (!atTerminal) process.stdout.write(`${line}\n`);
  else process.stdout.write(`\r\u001B[K${passing ? line.slice(0, process.stdout.columns - 1) : `${line}\n`}`);
}

/** ` (5334 passed | 2 skipped)`, as vitest says; empty where there are none. */
function testsOf(text: string): string {
  const [, tests] = /^\s*Tests\s+(.*?)\s*\(\d+\)\s*$/m.exec(text) ?? [];
  return tests === undefined ? '' : ` (tests: ${tests})`;
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}

function clock(): string {
  const all = seconds(startedAt);
  return `${String(Math.floor(all / 60)).padStart(3)}:${String(all % 60).padStart(2, '0')}`;
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 1_000);
}
