import type { GrubEnv } from './env.ts';
import { expand, type Statement, statements, type Word } from './words.ts';

/**
 * What a grub.cfg boots: its menu, and the default entry with a given environment block. It runs as much of the script
 * as that needs: variables, `if`, `load_env`. Any other command counts as successful. Pure. The time it takes grows
 * linearly with the script's length.
 *
 * GRUB reads `default` as a number if it begins with digits, else as a title or an id; if there is no such entry, the
 * first one boots (grub-core/normal/menu.c).
 */
export interface Menu {
  readonly entries: readonly MenuEntry[];
  /** Index of the entry that boots by itself; null without any entry. */
  readonly next: number | null;
  /** Places in the text that set `default` to a fixed value, whether or not they run. */
  readonly fixed: readonly { readonly start: number; readonly end: number }[];
}

export interface MenuEntry {
  readonly title: string;
  readonly id: string | null;
}

/** `env` is null without an environment block. Throws `no_grub` when a value grows too long. */
export function readMenu(config: string, env: GrubEnv | null): Menu {
  const run = new Run(env);
  for (const statement of statements(config)) run.statement(statement);
  return { entries: run.entries, next: bootIndex(run.entries, run.variables.get('default') ?? ''), fixed: run.fixed };
}

export function withFixedDefault(config: string, { fixed }: Menu, index: number): string {
  const kept = [...fixed, { start: config.length }].map(({ start }, nth) =>
    config.slice(fixed[nth - 1]?.end ?? 0, start),
  );
  return kept.join(`default="${index}"`);
}

/** The `saved_entry` for an entry: its title, as GRUB saves it, unless GRUB would read that as a number. */
export function savedName(entries: readonly MenuEntry[], index: number): string {
  const title = entries[index]?.title ?? '';
  const name = title.replaceAll('>', '>>');
  return bootIndex(entries, name) === index ? name : String(index);
}

function bootIndex(entries: readonly MenuEntry[], name: string): number | null {
  if (entries.length === 0) return null;
  const [digits] = /^\s*\d+/.exec(name) ?? [];
  // For a path into a submenu, the submenu.
  const [first = ''] = name.split(/(?<!>)>(?!>)/);
  const title = first.replaceAll('>>', '>');
  const index =
    digits === undefined
      ? entries.findIndex(entry => entry.title === title || entry.id === title)
      : Number.parseInt(digits, 10);
  return index >= 0 && index < entries.length ? index : 0;
}

class Run {
  readonly variables = new Map<string, string>();
  readonly entries: MenuEntry[] = [];
  readonly fixed: { start: number; end: number }[] = [];
  readonly #env: GrubEnv | null;
  /** Open braces: commands in them run later, if at all. */
  #depth = 0;
  /** The `if`s around us. `runs`: this branch and all around it run; `done`: one of its branches has run. */
  readonly #branches: { runs: boolean; done: boolean }[] = [];

  constructor(env: GrubEnv | null) {
    this.#env = env;
  }

  statement(words: Statement): void {
    let at = 0;
    // A command may follow in their line.
    for (; this.#depth === 0 && isPrelude(words[at]); at++) if (words[at]?.raw === 'else') this.#otherwise(null);
    const [first, ...rest] = words.slice(at);
    if (!first) return;
    const keyword = this.#depth === 0 ? first.raw : '';
    if (keyword === 'if') this.#branch(rest);
    else if (keyword === 'elif') this.#otherwise(rest);
    else if (keyword === 'fi') this.#branches.pop();
    else {
      if (this.#depth === 0) this.#command(first, rest);
      for (const { raw } of [first, ...rest]) {
        if (raw === '{') this.#depth += 1;
        if (raw === '}') this.#depth = Math.max(0, this.#depth - 1);
      }
    }
  }

  get #runs(): boolean {
    return this.#branches.at(-1)?.runs ?? true;
  }

  #branch(condition: Statement): void {
    const outer = this.#runs;
    const runs = outer && this.#holds(condition);
    this.#branches.push({ runs, done: !outer || runs });
  }

  #otherwise(condition: Statement | null): void {
    const branch = this.#branches.at(-1);
    if (!branch) return;
    branch.runs = !branch.done && (condition === null || this.#holds(condition));
    branch.done ||= branch.runs;
  }

  #command(first: Word, rest: Statement): void {
    const assigned = first.raw === 'set' ? rest[0] : first;
    if (assigned && /^\w+=/.test(assigned.raw)) this.#assign(assigned);
    else if (this.#runs) {
      if (first.raw === 'load_env') this.#load();
      if (first.raw === 'unset' && rest[0]) this.variables.delete(rest[0].raw);
      if (first.raw === 'menuentry' || first.raw === 'submenu') this.entries.push(this.#entry(rest));
    }
  }

  #assign(word: Word): void {
    const text = expand(word, this.variables);
    const equals = text.indexOf('=');
    const name = text.slice(0, equals);
    const { start, end } = word;
    if (name === 'default' && word.parts.every(part => 'text' in part)) this.fixed.push({ start, end });
    if (this.#runs) this.variables.set(name, text.slice(equals + 1));
  }

  #load(): void {
    for (const line of this.#env ?? []) if ('name' in line) this.variables.set(line.name, line.value);
  }

  /** `menuentry TITLE --class X --id ID {`; distributions write `$menuentry_id_option` for `--id`. */
  #entry(words: Statement): MenuEntry {
    let title: string | null = null;
    let id: string | null = null;
    for (let i = 0; i < words.length && words[i]?.raw !== '{'; i++) {
      const word = words[i];
      if (!word) continue;
      const value = expand(word, this.variables);
      const isId = value === '--id' || word.raw.includes('menuentry_id_option');
      if (value.startsWith('--id=')) id = value.slice('--id='.length);
      else if (isId || /^--(class|users|hotkey|source)$/.test(value)) {
        const next = words[++i];
        if (isId && next) id = expand(next, this.variables);
      } else if (!value.startsWith('--')) title ??= value;
    }
    return { title: title ?? '', id };
  }

  /** `[ … ]` and `test …` of strings; of files, only the environment block is known. Any other command succeeds. */
  #holds(words: Statement): boolean {
    const all = words.filter(({ raw }) => raw !== 'then');
    const marks = negations(all.map(({ raw }) => raw));
    const [first, ...rest] = all.slice(marks);
    const known = first?.raw === '[' || first?.raw === 'test';
    const values = rest.filter(({ raw }) => raw !== ']').map(word => expand(word, this.variables));
    return (!known || this.#test(values)) === (marks % 2 === 0);
  }

  #test(values: readonly string[]): boolean {
    // The last word is one to be tested.
    const marks = negations(values.slice(0, -1));
    return this.#compare(values.slice(marks)) === (marks % 2 === 0);
  }

  #compare(values: readonly string[]): boolean {
    const [a = '', b = '', c = ''] = values;
    if (values.length < 2) return a !== '';
    if (values.length === 2) {
      if (a === '-n') return b !== '';
      if (a === '-z') return b === '';
      return !b.endsWith('grubenv') || this.#env !== null;
    }
    if (values.length > 3) return true;
    if (b === '=' || b === '==') return a === c;
    return b !== '!=' || a !== c;
  }
}

function isPrelude(word: Word | undefined): boolean {
  return word?.raw === 'then' || word?.raw === 'else';
}

function negations(words: readonly string[]): number {
  const end = words.findIndex(word => word !== '!');
  return end === -1 ? words.length : end;
}
