/** `dsm2mqtt rebuild` and `rollback` against the whole bridge. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { barLine, type RebuildOptions, rebuild, rollback } from '../../../src/cli/loader/rebuild.ts';
import { Progress, StatusLine } from '../../../src/cli/terminal.ts';
import { rebuildPhases } from '../../../src/loader/job/phases.ts';
import { titles } from '../../fakes/box/image.ts';
import { world as outside } from '../../loader/job/loader-tuning.ts';
import { LoaderWorld, type LoaderWorldOptions } from '../../loader/job/loader-world.ts';

/** A terminal, or a pipe, that keeps what it was told. */
function sink(isTTY = false) {
  let text = '';
  return {
    isTTY,
    columns: 60,
    write: (piece: string) => {
      text += piece;
      return true;
    },
    get text() {
      return text;
    },
  };
}

async function setUp(options: LoaderWorldOptions = {}) {
  const world = await LoaderWorld.start(options);
  const [stdout, stderr] = [sink(), sink()];
  const end = new AbortController();
  const common = (changes: Partial<RebuildOptions> = {}): RebuildOptions => ({
    config: world.running.config(world.changes),
    ...{ vm: 'DSM', json: false, yes: true, stdin: new PassThrough() },
    ...{ stdout, stderr, signal: end.signal, world: outside, ...changes },
  });
  return { world, stdout, stderr, end, common, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

describe('rebuild', () => {
  test('shows the plan, then each phase in its order, and what it came to', async () => {
    await using it = await setUp();
    expect(await rebuild(it.common())).toBe(0);
    expect(it.stdout.text).toContain('./rploader.sh build ds918p-7.1.1-42962');
    expect(it.stdout.text).toContain('DSM is up with its new loader for DS918+ 7.1.1-42962.');
    expect(it.stdout.text).toContain('Backup of the old loader: ');
    const shown = [...it.stderr.text.matchAll(/^(\w+): /gm)].map(([, phase]) => phase);
    expect([...new Set(shown)].filter(phase => (rebuildPhases as readonly string[]).includes(phase ?? ''))).toEqual(
      rebuildPhases,
    );
    expect(it.world.machine.menu.build).toBe(1);
  });

  test('in JSON: every document and answer on a line, and nothing else', async () => {
    await using it = await setUp();
    expect(await rebuild(it.common({ json: true }))).toBe(0);
    const lines = it.stdout.text.trimEnd().split('\n');
    const read = lines.map(line => JSON.parse(line));
    expect(read[0]).toMatchObject({ status: 'accepted', command: 'rebuild' });
    expect(read.at(-1)).toMatchObject({ status: 'succeeded', code: 'done' });
    expect(read.filter(({ phase }) => phase === 'done')).not.toEqual([]);
  });

  test('that fails ends with 1, its sentence and what to do', async () => {
    await using it = await setUp({ faults: ['no-space'] });
    expect(await rebuild(it.common())).toBe(1);
    expect(it.stdout.text).toContain("There is no space for DSM's archive");
    expect(it.stdout.text).toContain('`rollback` puts the old loader back.');
    expect(await rollback(it.common())).toBe(0);
    expect(it.stdout.text).toContain('the old loader is back in its place');
    expect(await it.world.sum()).toBe(it.world.before);
  });

  test('that cannot work is not even asked for', async () => {
    await using it = await setUp({ loader: { platform: 'ds918q-7.1.1-42962' } });
    expect(await rebuild(it.common())).toBe(1);
    expect(it.world.documents.every(({ phase }) => phase === 'idle')).toBe(true);
  });

  test.each([
    ['y', 0, [titles.usb, titles.builder, titles.usb]],
    ['n', 1, [titles.usb]],
    ['', 1, [titles.usb]],
  ])('asked at a terminal, and answered “%s”', async (answer, code, booted) => {
    await using it = await setUp();
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const done = rebuild(it.common({ yes: false, stdin, stderr: Object.assign(new PassThrough(), { isTTY: false }) }));
    stdin.write(`${answer}\n`);
    expect(await done).toBe(code);
    expect(it.world.machine.booted).toEqual(booted);
  });

  test('without a terminal to ask at', async () => {
    await using it = await setUp();
    await expect(rebuild(it.common({ yes: false }))).rejects.toThrow('say --yes');
    await expect(rollback(it.common({ yes: false }))).rejects.toThrow('say --yes');
  });

  test('goes on in the bridge when nobody follows it any more', async () => {
    await using it = await setUp({ faults: ['silence'] });
    const done = rebuild(it.common());
    await it.world.loader(({ phase }) => phase === 'building');
    it.end.abort();
    expect(await done).toBe(130);
    expect(it.stderr.text).toContain('dsm2mqtt send DSM cancel');
    expect(it.world.documents.at(-1)).toMatchObject({ under_way: true });
  });

  test('of a bridge that goes away: 3', async () => {
    await using it = await setUp({ faults: ['silence'] });
    const done = rebuild(it.common());
    await it.world.loader(({ phase }) => phase === 'building');
    await it.world.running.stop();
    // Its last words may come first.
    expect([1, 3]).toContain(await done);
    expect(it.stdout.text + it.stderr.text).toMatch(/is stopping|went away/);
  });
});

test('rollback of nothing is refused', async () => {
  await using it = await setUp();
  expect(await rollback(it.common())).toBe(1);
  expect(it.stdout.text).toContain('there is nothing to roll back');
});

test('the bar of a command does not wrap either', () => {
  const stderr = Object.assign(sink(true), { columns: 20 });
  const progress = new Progress({ json: false, stdout: stderr, stderr });
  const times = { at: '2026-11-30T01:00:00Z', elapsed_ms: 1_000, remaining_ms: 9_000 };
  const said = { status: 'accepted', code: 'accepted', message: 'it begins' } as const;
  progress.show({ id: 'a', command: 'start', ...said, ...times });
  progress.close();
  expect(stderr.text).toContain(`\r\u001b[K[##${'.'.repeat(16)}\r`);
});

describe('the bar', () => {
  const at = { percent: 25, step: 'Build the loader', elapsed_seconds: 190 };
  test.each([
    [at, 2, 80, '[######..................] 25 %  3:12  Build the loader'],
    [at, 2, 40, '[######..................] 25 %  3:12'],
    [at, 2, 5, '[###'],
    [at, 2, 1, ''],
    // The terminal does not know its size.
    [at, 2, 0, '[######..................] 25 %  3:12  Build the loader'],
    [{ percent: null, step: null, elapsed_seconds: null }, 0, 80, '[........................]  0 %  0:00'],
    [{ percent: 100, step: 'ÄÖ😀', elapsed_seconds: 3_600 }, 0, 80, `[${'#'.repeat(24)}] 100 %  60:00  ÄÖ😀`],
  ])('%o after %i s in %i columns', (document, since, columns, expected) => {
    const terminal = Object.assign(sink(true), { columns });
    const bar = new StatusLine(terminal);
    bar.draw(() => barLine(document, since));
    bar.clear();
    expect(terminal.text).toBe(`\r\u001b[K${expected}\r\u001b[K`);
  });
});
