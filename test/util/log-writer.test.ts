import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { LogWriter } from '../../src/util/log-writer.ts';

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

/** A process with this logger. It logs as many numbered lines as it is told, and answers when it has. */
function start(stdout: 'pipe' | number) {
  const module = (name: string) => JSON.stringify(new URL(`../../src/util/${name}.ts`, import.meta.url).href);
  const script = `
    import { LogWriter } from ${module('log-writer')};
    import { createLogger } from ${module('pino')};
    const destination = new LogWriter(process.stdout, lines => logger.warn({ event: 'log.dropped', lines }, 'dropped'));
    const logger = createLogger({ level: 'info', pretty: false, destination });
    let n = 0;
    process.on('message', async lines => {
      if (lines === 'end') {
        await destination.flush(200);
        process.exit(7);
      }
      for (let i = 0; i < lines; i++) logger.info({ n: ++n }, 'x'.repeat(1_000));
      process.send(n);
    });
    process.send('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', stdout, 'inherit', 'ipc'],
  });
  children.push(child);
  const ask = async (what: number | 'end' | null) => {
    const answer = once(child, what === 'end' ? 'exit' : 'message', { signal: AbortSignal.timeout(30_000) });
    if (what !== null) child.send(what);
    return (await answer)[0] as unknown;
  };
  return { child, ask };
}

interface Line {
  n?: number;
  event?: string;
  lines?: number;
}

test('nobody reads: no line is waited for; read again, every line is there or counted', async () => {
  const { child, ask } = start('pipe');
  expect(await ask(null)).toBe('ready');
  // Far more than a pipe and the writer hold.
  for (let round = 1; round <= 5; round++) expect(await ask(1_000)).toBe(round * 1_000);
  const seen: Line[] = [];
  let counted = 0;
  if (!child.stdout) throw new Error('no pipe');
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text) as Line;
    seen.push(line);
    if (line.event !== 'log.dropped') continue;
    counted = line.lines ?? 0;
    break;
  }
  const numbers = seen.flatMap(({ n }) => n ?? []);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  expect(numbers.length).toBeGreaterThan(500);
  expect(numbers.length).toBeLessThan(3_000);
  expect(counted).toBe(5_000 - numbers.length);
});

test('nobody reads: the process ends in time, with its own code', async () => {
  const { ask } = start('pipe');
  await ask(null);
  await ask(5_000);
  expect(await ask('end')).toBe(7);
});

test('the last lines are out before the end', async () => {
  const { child, ask } = start('pipe');
  await ask(null);
  if (!child.stdout) throw new Error('no pipe');
  const seen: string[] = [];
  createInterface(child.stdout).on('line', line => seen.push(line));
  const read = once(child.stdout, 'close');
  await ask(500);
  expect(await ask('end')).toBe(7);
  await read;
  expect(seen).toHaveLength(500);
});

test('a full disk takes no line, and no process', async () => {
  const { ask } = start(openSync('/dev/full', 'w'));
  await ask(null);
  expect(await ask(10)).toBe(10);
  expect(await ask(10)).toBe(20);
  expect(await ask('end')).toBe(7);
});

test('lines that could not be written are counted once the next one is', async () => {
  let full = true;
  const told: number[] = [];
  const lines: string[] = [];
  const output = {
    writableLength: 0,
    on: () => {},
    write: (line: string, written: (error?: Error) => void) => {
      if (!full) lines.push(line);
      written(full ? new Error('no space') : undefined);
    },
  };
  const writer = new LogWriter(output, count => told.push(count));
  writer.write('a');
  writer.write('b');
  full = false;
  writer.write('c');
  writer.write('d');
  expect(lines).toEqual(['c', 'd']);
  expect(told).toEqual([2]);
});
