import type { Config } from '../config/config.ts';
import { type CallName, ofNetworks, type Permission, permissions } from '../libvirt/permissions.ts';
import { type Call, type CommandWord, rowOf } from '../model/commands.ts';
import { isUuid } from '../model/domain.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Image } from './image.ts';

/** What the configuration needs of libvirt: permissions, each on one object. Pure. */

/** With `except`: every domain but these. */
type Vm = Config['vms'][number] & { except?: readonly string[] };

export interface Right {
  vm: VmKey;
  permission: Permission;
  /** Which objects, by the details that libvirt gives polkit. */
  on: Readonly<Record<string, string | RegExp>>;
  /** What of the configuration needs it: commands, `console`, … */
  for: readonly string[];
}

export interface NeedsOptions {
  /** Of loaders whose image is a volume. */
  images: ReadonlyMap<VmKey, Image | null>;
  /** Also what `create --define` and `definition restore` do. */
  define: boolean;
}

/** Whoever has one of these is root on libvirt's machine. */
export const asRoot: ReadonlySet<Permission> = new Set(['domain.write', 'storage-pool.write']);

/** libvirt lets everybody read, of every object: no rule is needed. */
export const shown = /\.(?:getattr|read|search-[a-z-]+)$/;

const calls: Readonly<Record<Call, CallName>> = {
  start: 'domainCreateWithFlags',
  wake_up: 'domainPmWakeup',
  resume: 'domainResume',
  suspend: 'domainSuspend',
  reset: 'domainReset',
  press: 'domainShutdownFlags',
  guest_reboot: 'domainReboot',
  cut_power: 'domainDestroyFlags',
};

/** What a command does besides the calls of its row. */
const further: Readonly<Partial<Record<CommandWord, readonly CallName[]>>> = {
  reboot: [calls.start],
  screenshot: ['domainScreenshot'],
  autostart: ['domainSetAutostart'],
  rebuild: [calls.press, calls.start, 'domainSendKey'],
  rollback: [calls.press, calls.start],
};

/** By the names that the image's pool gets: see `loader/image/volume-image.ts`. */
const ownPool = /^dsm2mqtt-[0-9a-f-]{36}$/;

export function rightsOf(
  { vms, libvirt }: { vms: readonly Vm[]; libvirt: Pick<Config['hosts'][number], 'readOnly'> },
  options: NeedsOptions,
): Right[] {
  return libvirt.readOnly
    ? []
    : vms.flatMap(vm => merged([...ofCommands(vm), ...ofImage(vm, options), ...ofDefinition(vm, options)]));
}

type Use = [what: string, calls: readonly CallName[], on: Right['on']];

function domainOf({ domain, except }: Vm): Right['on'] {
  if (except) {
    const [uuids, names] = [except.filter(isUuid), except.filter(word => !isUuid(word))];
    return { connect_driver: 'QEMU', ...noneOf('domain_name', names), ...noneOf('domain_uuid', uuids) };
  }
  return {
    connect_driver: 'QEMU',
    ...(isUuid(domain) ? { domain_uuid: domain.toLowerCase() } : { domain_name: domain }),
  };
}

function noneOf(detail: string, words: readonly string[]): Right['on'] {
  return words.length === 0 ? {} : { [detail]: new RegExp(`^(?!(?:${words.map(RegExp.escape).join('|')})$)`) };
}

function ofCommands(vm: Vm): Right[] {
  const on = domainOf(vm);
  const byAgent = vm.shutdown.method !== 'acpi';
  const uses = vm.commands.map((word): Use => {
    const { call, byGuest, means = {} } = rowOf(word);
    const instead = Object.values(means).filter(meaning => meaning === 'resume' || meaning === 'wake_up');
    const all = [call, byGuest, ...instead].flatMap(each => (each ? calls[each] : []));
    return [word, [...all, ...(further[word] ?? [])].flatMap(each => (byAgent ? agentToo(each) : each)), on];
  });
  if (vm.console === 'boots') uses.push(['console', ['domainOpenConsole'], on]);
  if (vm.checks.agent) uses.push(['checks.agent', ['domainInterfaceAddresses:agent'], on]);
  const rights = uses.flatMap(use => of(vm, use));
  const plugging = rights.filter(({ permission }) => permission === 'domain.start' || permission === 'domain.stop');
  return [...rights, ...plugging.flatMap(right => ofNetworks.map(permission => ({ ...right, permission, on: {} })))];
}

function agentToo(call: CallName): readonly CallName[] {
  return call === 'domainShutdownFlags' || call === 'domainReboot' ? [call, `${call}:agent`] : [call];
}

function ofImage(vm: Vm, { images }: NeedsOptions): Right[] {
  const image = images.get(vm.key);
  if (vm.loader?.image.way !== 'volume' || !image) return [];
  const writes = vm.commands.some(word => word === 'rebuild' || word === 'rollback');
  const inImage = { vol_key: image.key };
  return [
    ...of(vm, ['loader', ['storageVolDownload'], inImage]),
    ...(writes ? of(vm, ['rebuild', ['storageVolUpload'], inImage]) : []),
    ...(image.pool === null ? [] : of(vm, ['loader', ['storagePoolRefresh'], { pool_name: image.pool }])),
    ...(vm.loader.image.transientPool
      ? of(vm, [
          'transient_pool',
          ['storagePoolCreateXml', 'storagePoolRefresh', 'storagePoolDestroy'],
          { pool_name: ownPool },
        ])
      : []),
  ];
}

function ofDefinition(vm: Vm, { define }: NeedsOptions): Right[] {
  if (!define) return [];
  const on = domainOf(vm);
  const disks = (vm.create?.disks ?? []).flatMap(({ pool, name }, nth) =>
    pool === null ? [] : [{ pool_name: pool, vol_name: name ?? `${vm.key}-${nth + 1}.img` }],
  );
  return [
    ...of(vm, ['definition restore', ['domainDefineXmlFlags', 'domainGetXmlDesc:secure'], on]),
    ...(vm.create ? of(vm, ['create', ['domainDefineXmlFlags'], on]) : []),
    ...disks.flatMap(({ pool_name, vol_name }) => [
      ...of(vm, ['create', ['storagePoolRefresh'], { pool_name }]),
      ...of(vm, ['create', ['storageVolCreateXml', 'storageVolDelete'], { pool_name, vol_name }]),
    ]),
  ];
}

function of({ key: vm }: Vm, [what, names, on]: Use): Right[] {
  const needed = names.flatMap(name => permissions[name]).filter(permission => !shown.test(permission));
  return needed.map(permission => ({ vm, permission, on, for: [what] }));
}

/** One for each permission on each object. */
function merged(rights: readonly Right[]): Right[] {
  const same = Map.groupBy(rights, ({ permission, on }) => [permission, ...Object.values(on)].join(' '));
  return [...same.values()].flatMap(([first, ...others]) =>
    first ? [{ ...first, for: [...new Set([first, ...others].flatMap(each => each.for))] }] : [],
  );
}
