import { listedCommands } from '../../model/commands.ts';
import { isUuid } from '../../model/domain.ts';
import { defaultVmKey, isVmKey } from '../../model/topics.ts';
import type { Complain } from '../kinds.ts';
import { isMapping, textOf, valueAt } from '../value.ts';
import { usualUri } from './formats.ts';

/** Rules across several keys: how the settings of a section fit together. Any setting may itself be wrong. */

export function mqttRule(mqtt: unknown, complain: Complain): void {
  passwordRule(mqtt, complain);
  if (!isMapping(mqtt)) return;
  const given = isGiven(mqtt);
  if (given('cert_file') && !given('key_file')) complain(['cert_file'], 'needs key_file beside it', null, 'key');
  if (given('key_file') && !given('cert_file')) complain(['key_file'], 'needs cert_file beside it', null, 'key');
  const urls = [mqtt['url']].flat();
  const plain = urls.findIndex(url => /^(mqtt|ws):/i.test(textOf(url)));
  if (plain < 0) return;
  // Whoever can stop the encrypted ones would read the password.
  if (urls.some(url => /^(mqtts|wss):/i.test(textOf(url)))) {
    complain(['url', plain], 'has no TLS, and another one has', 'use mqtts:// or wss:// for all of them, or for none');
    return;
  }
  for (const key of ['ca_file', 'cert_file', 'key_file'].filter(given)) {
    complain([key], 'has no effect without TLS', 'use mqtts:// or wss:// in mqtt.url', 'key');
  }
}

export const passwordRule = onlyOneRule('password', 'password_file');

export function onlyOneRule(one: string, other: string) {
  return (section: unknown, complain: Complain): void => {
    if ([one, other].every(isGiven(section)))
      complain([other], `${one} and ${other} are both given`, 'keep one of them', 'key');
  };
}

function isGiven(section: unknown): (key: string) => boolean {
  return key => (valueAt(section, [key]) ?? null) !== null;
}

/** An unlisted command never runs, not even by a policy; and a rebuild needs a loader. */
export function vmRule(entry: unknown, complain: Complain): void {
  const vm = allRule(entry, complain);
  guestRule(vm, complain);
  createRule(vm, complain);
  const commands = valueAt(vm, ['commands']);
  if (!Array.isArray(commands)) return;
  if (valueAt(vm, ['shutdown', 'on_timeout']) === 'force_off' && !commands.includes('force_off')) {
    const listed = listedCommands.filter(word => word === 'force_off' || commands.includes(word));
    const hint = `write \`commands: [${listed.join(', ')}]\`, or \`on_timeout: report\``;
    complain(['shutdown', 'on_timeout'], 'force_off is not among the commands of this VM', hint);
  }
  if (valueAt(vm, ['guest']) === 'other' || isGiven(vm)('loader')) return;
  const hint = "add `loader: { model: DS918+, platform: ds918p-7.1.1-42962 }`, with the VM's own, or leave it out";
  for (const [index, word] of commands.entries()) {
    const needsLoader = word === 'rebuild' || word === 'rollback';
    if (needsLoader)
      complain(['commands', index], `the command \`${word}\` needs a loader, and this VM has none`, hint);
  }
}

/** What only a single VM can have. */
const ofOne = ['domain', 'id', 'name', 'address', 'after', 'create', 'loader'];

/** The entry without what does not go with its `all`. */
function allRule(vm: unknown, complain: Complain): unknown {
  const given = (key: string) => [valueAt(vm, [key]) ?? []].flat().length > 0;
  if (!isMapping(vm)) return vm;
  if (vm['all'] !== true) {
    if (given('except')) complain(['except'], 'has no effect without `all: true`', 'leave it out', 'key');
    return vm;
  }
  for (const key of ofOne.filter(given)) {
    complain([key], 'does not go with `all`: it is of a single VM', 'give that VM an entry of its own', 'key');
  }
  return Object.fromEntries(Object.entries(vm).filter(([key]) => !ofOne.includes(key)));
}

/** What only one kind of guest has, by its path. */
const ofGuest = { dsm: [['loader'], ['create']], other: ['http', 'ssh', 'agent'].map(key => ['checks', key]) };

function guestRule(vm: unknown, complain: Complain): void {
  const guest = valueAt(vm, ['guest']);
  if (guest !== 'dsm' && guest !== 'other') return;
  const kind = guest === 'dsm' ? 'other' : 'dsm';
  const words = valueAt(vm, ['commands']);
  const commands = Array.isArray(words) ? words : [];
  const rebuilds = [...commands.entries()].filter(([, word]) => word === 'rebuild' || word === 'rollback');
  const strange = guest === 'other' ? rebuilds.map(([index]) => ['commands', index]) : [];
  const given = ofGuest[kind].filter(path => [valueAt(vm, path)].flat().some(Boolean));
  for (const path of [...given, ...strange]) {
    const hint = `leave it out, or write \`guest: ${kind}\``;
    complain(path, `is only for \`guest: ${kind}\`, and this one is ${guest}`, hint, 'key');
  }
}

export function loaderRule(loader: unknown, complain: Complain): void {
  if (valueAt(loader, ['image']) === 'volume' || valueAt(loader, ['transient_pool']) !== true) return;
  complain(['transient_pool'], 'has no effect', 'only for `image: volume` a pool can be made', 'key');
}

/** Either a disk of the host, with what proves that it is meant, or a new volume. */
export function createDiskRule(disk: unknown, complain: Complain): void {
  const given = isGiven(disk);
  const [kind, strange] = given('pool') ? ['pool', ['by_id', 'contains_data', 'serial']] : ['by_id', ['size', 'name']];
  for (const key of strange.filter(given))
    complain([key], `does not go with \`${kind}\``, 'leave one of them out', 'key');
  const one = 'write `by_id: /dev/disk/by-id/…`, or `pool: default` and `size: 100GiB`';
  if (!given(kind) || (kind === 'pool' && !given('size'))) complain([], 'needs `by_id`, or `pool` and `size`', one);
  if (given('contains_data') === given('serial')) return;
  complain([], 'needs both `contains_data` and `serial`, or neither', '`lsblk -o NAME,SERIAL` prints serial numbers');
}

/** What `create` needs from elsewhere. */
function createRule(vm: unknown, complain: Complain): void {
  const at = (...path: string[]) => valueAt(vm, path) ?? null;
  const needs = (held: boolean, what: string, hint: string) =>
    held || complain(['create'], `needs ${what}`, hint, 'key');
  if (at('create') === null || at('guest') === 'other') return;
  needs(!isUuid(textOf(at('domain'))), 'a name as `domain`', 'a domain that does not exist yet has no UUID');
  needs(at('loader') !== null, 'a `loader` beside it', 'the disks are attached as its `model` needs them');
  // A loader without faults has it as what it means.
  needs(
    (at('create', 'image') ?? at('loader', 'image', 'path')) !== null,
    "the path of the loader's image",
    'add `image: /var/lib/libvirt/images/loader.img`',
  );
}

/** Each VM is on a host that there is. */
export function hostsRule(config: unknown, complain: Complain): void {
  const hosts = valueAt(config, ['libvirt']);
  const vms = valueAt(config, ['vms']);
  const names = Array.isArray(hosts) ? hosts.map(host => valueAt(host, ['name'])) : null;
  for (const [key, usual] of Object.entries({ name: null, uri: usualUri })) {
    const values = Array.isArray(hosts) ? hosts.map(host => valueAt(host, [key]) ?? usual) : [];
    for (const [index, value] of values.entries()) {
      const twin = values.indexOf(value);
      if (typeof value === 'string' && twin < index)
        complain(
          ['libvirt', index, key],
          `the ${key} \`${value}\` is taken by libvirt[${twin}]`,
          'each host has its own',
        );
    }
  }
  for (const [index, vm] of (Array.isArray(vms) ? vms : []).entries()) {
    placeRule(vm, names, (path, ...fault) => complain(['vms', index, ...path], ...fault));
  }
}

/** `hosts`: their names; null: there is only one, without a name. */
function placeRule(vm: unknown, hosts: readonly unknown[] | null, complain: Complain): void {
  const [on, domain, loader, all] = ['on', 'domain', 'loader', 'all'].map(key => valueAt(vm, [key]) ?? null);
  const known = `known: ${hosts?.filter(name => typeof name === 'string').join(', ')}`;
  if (typeof on === 'string' && !hosts)
    complain(['on'], 'has no effect', 'only a `libvirt` that is a list has names', 'key');
  else if (typeof on === 'string' && on !== '' && !hosts?.includes(on))
    complain(['on'], 'there is no such host', known);
  if (on !== null || all === true || !hosts || hosts.length < 2) return;
  if (!isUuid(textOf(domain)))
    complain(['domain'], 'is a name, and several hosts may have it', `add \`on:\`; ${known}`);
  else if (loader !== null) complain(['loader'], 'needs `on`: a loader is rebuilt on one host', known, 'key');
}

/** Each names a domain, or takes all of a host; no two have the same domain, host or key. Names are case-sensitive, UUIDs are not. */
export function vmsRule(vms: unknown, complain: Complain): void {
  if (!Array.isArray(vms)) return;
  if (vms.length === 0) complain([], 'must name at least one VM', 'or write `vms: all`');
  everyRule(vms, complain);
  const domains = new Map<string, number>();
  const keys = new Map<string, number>();
  for (const [index, vm] of vms.entries()) {
    const { domain, all, id = null, on = null } = isMapping(vm) ? vm : {};
    if (typeof domain !== 'string' || domain === '' || all === true) continue;
    const identity = isUuid(domain) ? domain.toLowerCase() : `${domain} on ${textOf(on)}`;
    const twin = domains.get(identity);
    if (twin !== undefined) {
      complain([index, 'domain'], `vms[${twin}] is the same domain`, 'one entry a domain');
      continue;
    }
    domains.set(identity, index);
    if (id === '' || (id !== null && typeof id !== 'string')) continue;
    const key = id ?? defaultVmKey(domain);
    const owner = keys.get(key);
    if (isVmKey(key) && owner === undefined) {
      keys.set(key, index);
      continue;
    }
    const wrong =
      id === null
        ? 'no id can be made of this name'
        : 'an id has at most 128 letters, digits, _ and - only, and is neither `bridge` nor `host`';
    const message = owner === undefined ? wrong : `the id \`${key}\` is taken by vms[${owner}]`;
    complain([index, id === null ? 'domain' : 'id'], message, `give it another: \`id: ${freeKey(key, vms)}\``);
  }
}

function everyRule(vms: readonly unknown[], complain: Complain): void {
  const takers = new Map<unknown, number>();
  for (const [index, vm] of vms.entries()) {
    const { domain = null, all, on = null } = isMapping(vm) ? vm : { domain: 0 };
    if (all !== true) {
      const hint = `set vms[${index}].domain (\`domain: DSM\`) or DSM2MQTT_VMS__${index}__DOMAIN`;
      if (domain === null) complain([index, 'domain'], 'is missing', hint);
      continue;
    }
    // Without `on`, it is of each host.
    const twin = takers.get(on) ?? takers.get(null) ?? (on === null ? takers.values().next().value : undefined);
    if (twin !== undefined) complain([index, 'all'], `vms[${twin}] takes all of that host`, 'one such entry a host');
    takers.set(on, twin ?? index);
  }
}

/** A valid key similar to the wanted one that no other entry has, explicitly or by default. */
function freeKey(wanted: string, vms: readonly unknown[]): string {
  const taken = new Set(
    vms.filter(isMapping).map(({ id, domain }) => (typeof id === 'string' ? id : defaultVmKey(textOf(domain)))),
  );
  const stem = defaultVmKey(wanted).slice(0, 60) || 'vm';
  for (let number = 1; ; number++) {
    const key = number === 1 ? stem : `${stem}_${number}`;
    if (isVmKey(key) && !taken.has(key)) return key;
  }
}
