import { defaultCommands, listedCommands } from '../../model/commands.ts';
import { defaultVmKey } from '../../model/topics.ts';
import { nearest } from '../../util/did-you-mean.ts';
import type { Complain } from '../kinds.ts';
import { valueAt } from '../value.ts';

/** The rules of `vms[].after`. Any setting may itself be wrong. */

interface Vm {
  /** Empty: it is wrong itself. */
  id: string;
  after: readonly unknown[];
  commands: readonly unknown[];
  readOnly: boolean;
}

/** More ids in a hint would hide what it says. */
const shown = 10;

export function orderRule(config: unknown, complain: Complain): void {
  const vms = vmsOf(config);
  for (const [index, vm] of vms.entries()) {
    const at = (more: readonly number[], ...fault: [message: string, hint: string | null]) =>
      complain(['vms', index, 'after', ...more], ...fault);
    for (const [place, id] of vm.after.entries()) {
      const fault = typeof id === 'string' && id !== '' ? entryFault(vm, place, id, vms) : null;
      if (fault) at([place], ...fault);
    }
    const circle = vm.id === '' ? null : circleOf(vm, vms);
    // Told once, at the first of its VMs.
    if (circle && vms.findIndex(({ id }) => circle.includes(id)) === index)
      at([], `goes round in a circle: ${circle.join(' after ')}`, 'take one of them out');
    if (vm.after.length === 0) continue;
    const missing = ['start', 'shutdown'].filter(word => !vm.commands.includes(word));
    if (missing.length > 0) {
      const listed = listedCommands.filter(word => missing.includes(word) || vm.commands.includes(word)).join(', ');
      at([], `needs ${missing.join(' and ')} among the commands of this VM`, `write \`commands: [${listed}]\``);
    }
    if (vm.readOnly)
      at([], 'has no effect: its host is read_only', 'leave it out, or let the bridge control that host');
  }
}

function entryFault({ id: own, after }: Vm, place: number, id: string, vms: readonly Vm[]): [string, string] | null {
  const ids = vms.map(vm => vm.id).filter(each => each !== own && each !== '');
  if (id === own) return ['a VM cannot be after itself', 'leave it out'];
  if (after.indexOf(id) < place) return [`\`${id}\` is there twice`, 'leave it out'];
  if (ids.includes(id)) return null;
  const near = nearest(id, ids);
  const known = `known: ${ids.slice(0, shown).join(', ') || 'no other VM'}`;
  return [`there is no VM with the id \`${id}\``, near === null ? known : `did you mean \`${near}\`? ${known}`];
}

/** The ids on a way from a VM to itself, over at least one other. */
function circleOf({ id: start }: Vm, vms: readonly Vm[]): string[] | null {
  const seen = new Set<string>();
  const from = (id: string, path: string[]): string[] | null => {
    for (const next of vms.find(vm => vm.id === id)?.after ?? []) {
      if (next === start && path.length > 1) return [...path, start];
      if (typeof next !== 'string' || next === start || seen.has(next)) continue;
      seen.add(next);
      const found = from(next, [...path, next]);
      if (found) return found;
    }
    return null;
  };
  return from(start, [start]);
}

function vmsOf(config: unknown): Vm[] {
  const vms = valueAt(config, ['vms']);
  const libvirt = valueAt(config, ['libvirt']);
  const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
  return list(vms).map(vm => {
    const at = (key: string) => valueAt(vm, [key]) ?? null;
    const hosts = [libvirt].flat().filter(host => at('on') === null || valueAt(host, ['name']) === at('on'));
    const domain = at('domain');
    const id = at('id') ?? (typeof domain === 'string' ? defaultVmKey(domain) : null);
    return {
      id: typeof id === 'string' ? id : '',
      after: at('all') === true ? [] : list(at('after')),
      commands: list(at('commands') ?? defaultCommands),
      readOnly: hosts.length > 0 && hosts.every(host => valueAt(host, ['read_only']) === true),
    };
  });
}
