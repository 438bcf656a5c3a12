import { type Copy, readCopies } from '../../definition/copies.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import type { Watch } from '../../vm/watch.ts';
import { findVm } from '../command.ts';
import { withDomains } from '../domains.ts';
import { align, type ExitCode, exitCode, print, Refusal } from '../terminal.ts';
import { compared, type DefinitionOptions, linesOf, restore } from './restore.ts';

/** `dsm2mqtt definition V WHAT`: the copies that are kept of a VM's definition. Throws `Refusal`. */
export async function definition(options: DefinitionOptions): Promise<ExitCode> {
  const { config, what, copy, other, stderr } = options;
  const { key } = findVm(config, options.vm);
  if (!words.includes(what))
    throw new Refusal(exitCode.usage, `\`definition ${key}\` takes list, show, diff or restore, not '${what}'.`);
  const { copies, damaged } = await readCopies(config.dataDir, key).catch((error: Error) => {
    throw new Refusal(exitCode.failed, `The copies of ${key} cannot be read: ${error.message}`, { cause: error });
  });
  if (damaged.length > 0) stderr.write(`Left out, because they are damaged: ${damaged.join(', ')}.\n`);
  if (what === 'list') return list(options, copies);
  const find = (number: string) => {
    const found = copies.find(each => `${each.number}` === number);
    const there = copies.map(each => each.number).join(', ');
    if (!found) throw new Refusal(exitCode.usage, `${key} has no copy ${number}. It has ${there || 'none'}.`);
    return found;
  };
  const last = copies.at(-1);
  if (!last) throw new Refusal(exitCode.failed, noCopy);
  if (what === 'show') return show(options, copy === undefined ? last : find(copy));
  if (what === 'diff') {
    const is = other === undefined ? await present(options) : find(other);
    const differs = (each: Copy) => compared(each.xml, is.xml).length > 0;
    return diff(options, copy === undefined ? (copies.findLast(differs) ?? last) : find(copy), is);
  }
  if (copy === undefined)
    throw new Refusal(exitCode.usage, `Say which copy: \`definition ${key} list\` has their numbers.`);
  return restore(options, find(copy));
}

const words: readonly string[] = ['list', 'show', 'diff', 'restore'];
const noCopy = 'There is no copy yet: the bridge keeps one when it starts, and one at each change.';

function list(output: DefinitionOptions, copies: readonly Copy[]): ExitCode {
  const documents = copies.map(({ xml: _, nvram, ...copy }) => ({ ...copy, nvram: nvram && (nvram.why ?? 'kept') }));
  const rows = copies.map(({ number, at, changed, nvram }) => {
    const first = number === copies[0]?.number && changed.length === 0 ? ['the oldest'] : changed.slice(0, 3);
    const more = changed.length > 3 ? [`and ${changed.length - 3} more`] : [];
    return [`${number}`, local(at), nvram ? (nvram.why ?? 'kept') : 'none', [...first, ...more].join(', ')];
  });
  const table = align([['Copy', 'When', 'NVRAM', 'Changed'], ...rows], '');
  print(output, documents, rows.length === 0 ? noCopy : table.join('\n'));
  return exitCode.succeeded;
}

function show(output: DefinitionOptions, { nvram, ...copy }: Copy): ExitCode {
  print(output, copy, copy.xml.trimEnd());
  return exitCode.succeeded;
}

/** The definition that the next start goes by. */
function present({ config, vm, signal }: DefinitionOptions): Promise<{ xml: string }> {
  const own = findVm(config, vm);
  const read = async (client: Libvirt, watch: Watch) => {
    const target = watch.target(own.key);
    if (!target) throw new Refusal(exitCode.failed, watch.missing(own.key));
    return { xml: await client.xml(target.ref, { inactive: true, signal }) };
  };
  return withDomains({ ...config, vms: [own] }, read, signal);
}

function diff(output: DefinitionOptions, from: Copy, to: { xml: string; number?: number }): ExitCode {
  const changes = compared(from.xml, to.xml);
  const end = to.number ?? 'now';
  const head = `From copy ${from.number} (${local(from.at)}) to ${to.number ? `copy ${end}` : end}:`;
  const text = [head, ...(changes.length === 0 ? ['  no difference'] : linesOf(changes))].join('\n');
  print(output, { from: from.number, to: end, changes }, text);
  return exitCode.succeeded;
}

function local(at: string): string {
  return new Date(at).toLocaleString('sv-SE');
}
