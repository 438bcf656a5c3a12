import { commandWords, defaultCommands } from '../model/command.ts';
import { defaultVmKey, isVmKey } from '../model/topics.ts';
import type { Issue } from './problem.ts';
import type { Path } from './shape.ts';
import { isMapping, valueAt } from './value.ts';

/** What no single key can tell: how the settings fit together. Works on data that may have other faults as well. */
export function crossCheck(data: unknown): Issue[] {
  return [...checkMqtt(valueAt(data, ['mqtt'])), ...checkVms(valueAt(data, ['vms']))];
}

function checkMqtt(mqtt: unknown): Issue[] {
  const given = (key: string) => valueAt(mqtt, [key]) !== undefined;
  const issues: Issue[] = [];
  const complain = (key: string, message: string, hint: string | null) =>
    issues.push({ path: ['mqtt', key], message, hint, at: 'key' });

  if (given('password') && given('password_file')) {
    complain('password_file', 'password and password_file are both given', 'keep one of them');
  }
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
    else complain(path, 'an id has letters, digits, _ and - only, and is not `bridge`', hint);
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
  const listed = commandWords.filter(word => word === 'force_off' || commands.includes(word));
  const hint = `write \`commands: [${listed.join(', ')}]\`, or \`on_timeout: report\``;
  complain(['vms', index, 'shutdown', 'on_timeout'], 'force_off is not among the commands of this VM', hint);
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
