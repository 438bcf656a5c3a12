import { defaultCommands, listedCommands } from '../model/commands.ts';
import { defaultVmKey, isVmKey } from '../model/topics.ts';
import { diskIdxMapFault, sataPortMapFault } from './loader-formats.ts';
import type { Issue } from './problem.ts';
import type { Path } from './shape.ts';
import { isMapping, valueAt } from './value.ts';

/** What no single key can tell: how the settings fit together. Works on data that may have other faults as well. */
export function crossCheck(data: unknown): Issue[] {
  return [...checkMqtt(valueAt(data, ['mqtt'])), ...checkVms(valueAt(data, ['vms']))];
}

function checkMqtt(mqtt: unknown): Issue[] {
  const given = (key: string) => valueAt(mqtt, [key]) !== undefined;
  const issues = checkPassword(mqtt, ['mqtt']);
  const complain = (key: string, message: string, hint: string | null) =>
    issues.push({ path: ['mqtt', key], message, hint, at: 'key' });

  if (given('cert_file') && !given('key_file')) complain('cert_file', 'needs key_file beside it', null);
  if (given('key_file') && !given('cert_file')) complain('key_file', 'needs cert_file beside it', null);
  const url = valueAt(mqtt, ['url']);
  if (typeof url === 'string' && /^(mqtt|ws):/i.test(url)) {
    for (const key of ['ca_file', 'cert_file', 'key_file'].filter(given)) {
      complain(key, 'has no effect without TLS', 'use mqtts:// or wss:// in mqtt.url');
    }
  }
  return issues;
}

function checkPassword(section: unknown, path: Path): Issue[] {
  const both = ['password', 'password_file'].every(key => valueAt(section, [key]) !== undefined);
  const message = 'password and password_file are both given';
  return both ? [{ path: [...path, 'password_file'], message, hint: 'keep one of them', at: 'key' }] : [];
}

function checkVms(vms: unknown): Issue[] {
  if (!Array.isArray(vms)) return [];
  const issues: Issue[] = [];
  const complain = (path: Path, message: string, hint: string | null) =>
    issues.push({ path, message, hint, at: 'value' });
  const domains = new Map<string, number>();
  const keys = new Map<string, number>();

  for (const [index, vm] of vms.entries()) {
    const { domain, id } = isMapping(vm) ? vm : {};
    checkEscalation(vm, index, complain);
    issues.push(...checkLoader(vm, ['vms', index]));
    if (typeof domain !== 'string' || domain === '') continue;

    const twin = domains.get(domainIdentity(domain));
    if (twin !== undefined) {
      complain(['vms', index, 'domain'], `vms[${twin}] is the same domain`, 'one entry a domain');
      continue;
    }
    domains.set(domainIdentity(domain), index);

    if (id !== undefined && typeof id !== 'string') continue;
    const key = id ?? defaultVmKey(domain);
    const path: Path = ['vms', index, id === undefined ? 'domain' : 'id'];
    const owner = keys.get(key);
    if (id === '') continue;
    if (isVmKey(key) && owner === undefined) {
      keys.set(key, index);
      continue;
    }
    const hint = `give it another: \`id: ${freeKey(key, vms)}\``;
    if (owner !== undefined) complain(path, `the id \`${key}\` is taken by vms[${owner}]`, hint);
    else if (id === undefined) complain(path, 'no id can be made of this name', hint);
    else complain(path, 'an id has at most 128 letters, digits, _ and - only, and is not `bridge`', hint);
  }
  return issues;
}

/** What is not listed is never done, by a policy neither. */
function checkEscalation(
  vm: unknown,
  index: number,
  complain: (path: Path, message: string, hint: string | null) => void,
): void {
  if (valueAt(vm, ['shutdown', 'on_timeout']) !== 'force_off') return;
  const commands = valueAt(vm, ['commands']) ?? defaultCommands;
  if (!Array.isArray(commands) || commands.includes('force_off')) return;
  const listed = listedCommands.filter(word => word === 'force_off' || commands.includes(word));
  const hint = `write \`commands: [${listed.join(', ')}]\`, or \`on_timeout: report\``;
  complain(['vms', index, 'shutdown', 'on_timeout'], 'force_off is not among the commands of this VM', hint);
}

function checkLoader(vm: unknown, path: Path): Issue[] {
  const loader = valueAt(vm, ['loader']);
  if (loader === undefined) return checkCommands(valueAt(vm, ['commands']), [...path, 'commands']);
  const here = [...path, 'loader'];
  const issues = [
    ...checkPassword(valueAt(loader, ['ssh']), [...here, 'ssh']),
    ...checkSataMap(valueAt(loader, ['sata_map']), [...here, 'sata_map']),
  ];
  const image = valueAt(loader, ['image']) ?? 'volume';
  if (image !== 'volume' && valueAt(loader, ['transient_pool']) === true) {
    const hint = 'only for `image: volume` a pool can be made';
    issues.push({ path: [...here, 'transient_pool'], message: 'has no effect', hint, at: 'key' });
  }
  return issues;
}

/** Of a VM without a loader. */
function checkCommands(commands: unknown, path: Path): Issue[] {
  if (!Array.isArray(commands)) return [];
  const hint = "add `loader: { model: DS918+, platform: ds918p-7.1.1-42962 }`, with the VM's own, or leave it out";
  return [...commands.entries()]
    .filter(([, word]) => word === 'rebuild' || word === 'rollback')
    .map(([index, word]) => ({
      ...{ path: [...path, index], hint, at: 'value' },
      message: `the command \`${word}\` needs a loader, and this VM has none`,
    }));
}

function checkSataMap(map: unknown, path: Path): Issue[] {
  const [ports, slots] = ['SataPortMap', 'DiskIdxMap'].map(key => valueAt(map, [key]));
  if (typeof ports !== 'string' || sataPortMapFault(ports)) return [];
  if (typeof slots !== 'string' || diskIdxMapFault(slots) || slots.length === 2 * ports.length) return [];
  const message = `must have two digits for each one of SataPortMap: ${2 * ports.length}, not ${slots.length}`;
  return [{ path: [...path, 'DiskIdxMap'], message, hint: null, at: 'value' }];
}

/** Names are case-sensitive, UUIDs are not. */
function domainIdentity(domain: string): string {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(domain) ? domain.toLowerCase() : domain;
}

/** A legal key near the wanted one that no entry has, explicitly or by default. */
function freeKey(wanted: string, vms: readonly unknown[]): string {
  const taken = new Set(
    vms.filter(isMapping).map(({ id, domain }) => (typeof id === 'string' ? id : defaultVmKey(String(domain)))),
  );
  const stem = defaultVmKey(wanted).slice(0, 60) || 'vm';
  for (let number = 1; ; number++) {
    const key = number === 1 ? stem : `${stem}_${number}`;
    if (isVmKey(key) && !taken.has(key)) return key;
  }
}
