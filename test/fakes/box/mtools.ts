import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Answer, type Call, makePrograms } from './calls.ts';
import type { Fat } from './fat.ts';
import { withFatAt } from './image.ts';

/** `mdir` and `mcopy` as `src/loader/image/fat.ts` calls them, so that no machine needs mtools for these tests. */

let users = 0;
let folder: Promise<{ path: string } & AsyncDisposable> | null = null;

/** In front of this process's PATH, until the last who has asked for them is done. */
export async function fakeMtools(): Promise<AsyncDisposable> {
  users += 1;
  folder ??= install();
  await folder;
  return { [Symbol.asyncDispose]: leave };
}

async function leave(): Promise<void> {
  users -= 1;
  if (users > 0) return;
  const mine = folder;
  folder = null;
  await (await mine)?.[Symbol.asyncDispose]();
}

async function install(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'mtools-'));
  const programs = await makePrograms(path, ['mdir', 'mcopy'], run);
  process.env['PATH'] = [path, process.env['PATH']].join(delimiter);
  return {
    path,
    async [Symbol.asyncDispose]() {
      const rest = (process.env['PATH'] ?? '').split(delimiter).filter(each => each !== path);
      process.env['PATH'] = rest.join(delimiter);
      await programs[Symbol.asyncDispose]();
      await rm(path, { recursive: true, force: true });
    },
  };
}

function run({ name, args: [option, file = '', ...rest] }: Call): Answer {
  const operands = rest.filter(arg => arg === '-' || !arg.startsWith('-'));
  if (option !== '-i') return { status: 1 };
  const [path = '', offset = '0'] = file.split('@@');
  return withFatAt(path, Number(offset), fat =>
    name === 'mdir' ? list(fat) : copy(fat, operands[0] ?? '', operands[1] ?? ''),
  );
}

function list(fat: Fat): Answer {
  return {
    status: 0,
    text: fat
      .list()
      .map(path => `::/${path}\n`)
      .join(''),
  };
}

function copy(fat: Fat, from: string, to: string): Answer {
  if (to.startsWith('::/')) {
    fat.write(to.slice(3), readFileSync(from));
    return { status: 0 };
  }
  const content = fat.read(from.replace(/^::\/*/, ''));
  if (!content) return { status: 1, text: `File "${from}" not found\n` };
  if (to === '-') return { status: 0, text: content };
  writeFileSync(to, content);
  return { status: 0 };
}
