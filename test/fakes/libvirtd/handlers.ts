import type { FakeDomain } from './domain.ts';
import { state } from './numbers.ts';
import { refusals } from './refusal.ts';
import { needsMonitor } from './stats.ts';
import { storageHandlers } from './storage-handlers.ts';
import { Live, Streamed } from './stream.ts';
import type { Client, Daemon, Handlers, ProcedureName } from './types.ts';
import { identity, outsideSchema } from './xml.ts';

const feature = { keepalive: 10, eventCallbacks: 14, closeCallback: 15 };
const authType = { none: 0, sasl: 1, polkit: 2 };
/** Of `shutdown` and `reboot` alike. */
const powerFlag = { acpi: 1, agent: 2 };
const addressSource = { lease: 0, agent: 1 };
const openReadOnly = 1;
const defineValidate = 1;
const consoleForce = 1;
const xmlSecure = 1;
const xmlInactive = 2;
/** Seen with 12.8 and not with 9.0; where between, is a guess. */
const xmlTakesJobSince = 11_000_000;
const statsNoWait = 1 << 29;

/** What clients may ask before they are authenticated, and before they have opened a driver. */
export const beforeAuth: ReadonlySet<ProcedureName> = new Set(['authList', 'authPolkit']);
export const beforeOpen: ReadonlySet<ProcedureName> = new Set([
  'authList',
  'authPolkit',
  'connectOpen',
  'connectSupportsFeature',
]);

export const handlers: Handlers = {
  ...storageHandlers,

  authList: client => {
    const { auth } = client.daemon.options;
    if (auth === 'none') client.authenticated = true;
    return { types: [authType[auth]] };
  },
  authPolkit: client => {
    if (client.daemon.options.polkit !== 'grants') throw refusals.polkit();
    client.authenticated = true;
    return { complete: true };
  },
  connectOpen: (client, { flags }) => {
    client.opened = true;
    client.readOnly ||= (flags & openReadOnly) !== 0;
  },
  connectGetCapabilities: ({ daemon }) => {
    const types = daemon.options.kvm ? ['qemu', 'kvm'] : ['qemu'];
    const domains = types.map(type => `<domain type='${type}'/>`).join('');
    return { capabilities: `<capabilities><guest><arch name='x86_64'>${domains}</arch></guest></capabilities>` };
  },
  interfaceLookupByName: ({ daemon }, { name }) => {
    if (!daemon.options.interfaces.includes(name)) throw refusals.noInterface(name);
    return { interface: { name, mac: '52:54:00:00:00:01' } };
  },
  connectGetType: () => ({ type: 'QEMU' }),
  connectGetVersion: ({ daemon }) => ({ version: daemon.options.hypervisorVersion }),
  connectGetLibVersion: ({ daemon }) => ({ version: daemon.options.libvirtVersion }),
  connectGetHostname: ({ daemon }) => ({ hostname: daemon.options.hostname }),
  connectSupportsFeature: (client, args) => {
    if (args.feature === feature.keepalive) client.startKeepalive();
    const known: readonly number[] = client.daemon.options.eventCallbacks
      ? Object.values(feature)
      : [feature.keepalive, feature.closeCallback];
    return { supported: known.includes(args.feature) };
  },

  nodeGetCpuStats: ({ daemon }, { nparams }) => nodeStats(daemon.options.cpu, nparams),
  nodeGetMemoryStats: ({ daemon }, { nparams }) => nodeStats(daemon.options.memory, nparams),
  connectListAllDomains: ({ daemon }) => {
    const domains = daemon.domains.map(({ ref }) => ref);
    return { domains, count: domains.length };
  },
  domainLookupByName: ({ daemon }, { name }) => {
    const domain = daemon.domains.find(each => each.name === name);
    if (!domain) throw refusals.noDomainNamed(name);
    return { domain: domain.ref };
  },
  domainLookupByUuid: (client, args) => ({ domain: find(client, args).ref }),

  domainGetState: (client, { domain }) => find(client, domain).state,
  domainGetXmlDesc: async (client, { domain: ref, flags }) => {
    const domain = find(client, ref);
    const secure = (flags & xmlSecure) !== 0;
    if (secure && client.readOnly) throw refusals.readOnly('virDomainGetXMLDesc');
    if (client.daemon.options.libvirtVersion >= xmlTakesJobSince) await domain.jobFree();
    const xml = domain.xml({ inactive: (flags & xmlInactive) !== 0 });
    return { xml: secure ? xml : xml.replaceAll(/ passwd='[^']*'/g, '') };
  },
  domainDefineXmlFlags: ({ readOnly, daemon }, { xml, flags }) => {
    if (readOnly) throw refusals.readOnly('virDomainDefineXMLFlags');
    const stranger = (flags & defineValidate) === 0 ? undefined : outsideSchema(xml);
    if (stranger !== undefined) throw refusals.invalidSchema(stranger);
    const { name, uuid } = identity(xml);
    const other = daemon.domains.find(each => (each.name === name) !== (each.uuid === uuid));
    if (other) throw refusals.domainExists(other.name, other.uuid);
    return { domain: daemon.define(xml).ref };
  },
  domainGetAutostart: (client, { domain }) => ({ autostart: find(client, domain).autostart }),
  domainIsPersistent: (client, { domain }) => ({ persistent: find(client, domain).persistent }),
  domainGetBlockInfo: async (client, { domain: ref, path }) => {
    const domain = find(client, ref);
    await domain.job();
    const index = domain.hardware.disks.findIndex(({ target, source }) => path === target || path === source);
    if (index === -1) throw refusals.invalidPath(path);
    const read = (key: string) => domain.stats.number(`block.${index}.${key}`);
    return { allocation: read('allocation'), capacity: read('capacity'), physical: read('physical') };
  },
  connectGetAllDomainStats: async ({ daemon }, { domains: refs, stats, flags }) => {
    const wanted = refs.length === 0 ? daemon.domains : refs.flatMap(({ uuid }) => daemon.find(uuid) ?? []);
    const records = [];
    for (const domain of wanted) {
      const nowait = (flags & statsNoWait) !== 0;
      const monitor = !domain.active || !needsMonitor(stats) || (await domain.job({ nowait }));
      const params = domain.stats.params(stats, { ...domain.state, active: domain.active, monitor });
      records.push({ domain: domain.ref, params });
    }
    return { records };
  },
  domainInterfaceAddresses: (client, { domain: ref, source }) => {
    if (source !== addressSource.agent) {
      const domain = find(client, ref);
      if (!domain.active) throw refusals.notRunning();
      return { interfaces: domain.guest.addresses.lease };
    }
    const domain = findWritable(client, ref, 'virDomainInterfaceAddresses');
    if (domain.state.state !== state.running) throw refusals.notRunning();
    mustHaveAgent(domain);
    return { interfaces: domain.guest.addresses.agent };
  },

  domainSetMemoryStatsPeriod: async (client, { domain: ref, period }) => {
    const domain = findWritable(client, ref, 'virDomainSetMemoryStatsPeriod');
    await domain.job();
    if (!domain.active) throw refusals.notRunning();
    domain.memoryPeriod = period;
  },
  domainCreateWithFlags: (client, { domain: ref }) => {
    const domain = findWritable(client, ref, 'virDomainCreateWithFlags');
    domain.start();
    return { domain: domain.ref };
  },
  domainShutdownFlags: async (client, { domain: ref, flags }) => {
    const domain = findWritable(client, ref, 'virDomainShutdownFlags');
    // Unlike a reboot it is refused of a guest that is paused or asleep.
    if (domain.state.state !== state.running) throw refusals.notRunning();
    const by = await powerRoute(domain, flags);
    if (by === 'agent') domain.shutDownByAgent();
    else domain.pressPowerButton();
  },
  domainReboot: async (client, { domain: ref, flags }) => {
    const domain = findWritable(client, ref, 'virDomainReboot');
    const by = await powerRoute(domain, flags);
    if (by === 'agent') domain.rebootByAgent();
    else domain.pressPowerButton({ reboot: true });
  },
  domainSuspend: async (client, { domain: ref }) => {
    const domain = findWritable(client, ref, 'virDomainSuspend');
    await domain.job();
    domain.pause();
  },
  domainResume: async (client, { domain: ref }) => {
    const domain = findWritable(client, ref, 'virDomainResume');
    await domain.job();
    domain.resume();
  },
  domainReset: async (client, { domain: ref }) => {
    const domain = findWritable(client, ref, 'virDomainReset');
    await domain.job();
    domain.reboot();
  },
  domainPmWakeup: async (client, { domain: ref }) => {
    const domain = findWritable(client, ref, 'virDomainPMWakeup');
    await domain.job();
    domain.wakeUp();
  },
  domainSetAutostart: (client, { domain: ref, autostart }) => {
    const domain = findWritable(client, ref, 'virDomainSetAutostart');
    if (!domain.persistent) throw refusals.transientAutostart();
    domain.autostart = autostart;
  },
  domainScreenshot: async (client, { domain: ref, screen }) => {
    const domain = findWritable(client, ref, 'virDomainScreenshot');
    await domain.job();
    if (!domain.active) throw refusals.notRunning();
    const picture = domain.guest.screens[screen];
    if (!picture) throw screen === 0 ? refusals.noScreens() : refusals.noSuchScreen();
    return Streamed.of({ mime: mimeOf(picture) }, picture);
  },
  domainOpenConsole: (client, { domain: ref, device, flags }) => {
    const domain = findWritable(client, ref, 'virDomainOpenConsole');
    if (!domain.active) throw refusals.notRunning();
    if (device !== null) throw refusals.internal(`cannot find character device ${device}`);
    return new Live(reader => domain.console.open(reader, (flags & consoleForce) !== 0));
  },
  domainSendKey: async (client, { domain: ref, keys }) => {
    const domain = findWritable(client, ref, 'virDomainSendKey');
    if (keys.length === 0) throw refusals.noKeys();
    await domain.job();
    if (!domain.active) throw refusals.notRunning();
    domain.keys.push(keys);
  },
  domainDestroyFlags: (client, { domain: ref }) => {
    const domain = findWritable(client, ref, 'virDomainDestroyFlags');
    domain.destroy();
  },

  domainEventRegister: (client, { eventId, domain }) => ({ callbackId: client.register(eventId, domain) }),
};

function find({ daemon }: { daemon: Daemon }, { uuid }: { uuid: string }): FakeDomain {
  const domain = daemon.find(uuid);
  if (!domain) throw refusals.noDomainWithUuid(uuid);
  return domain;
}

function findWritable(client: Client, ref: { uuid: string }, procedure: string): FakeDomain {
  if (client.readOnly) throw refusals.readOnly(procedure);
  return find(client, ref);
}

/** Which way a shutdown or reboot goes; a monitor that hangs is waited for. */
async function powerRoute(domain: FakeDomain, flags: number): Promise<'agent' | 'button'> {
  if (!domain.active) throw refusals.notRunning();
  const { agent } = domain.guest;
  const byAgent = flags === powerFlag.agent || (flags !== powerFlag.acpi && agent === 'answers');
  if (byAgent) mustHaveAgent(domain);
  await domain.job();
  return byAgent ? 'agent' : 'button';
}

function mustHaveAgent({ guest: { agent } }: FakeDomain): void {
  if (agent === 'none') throw refusals.noAgent();
  if (agent === 'silent') throw refusals.silentAgent();
}

function mimeOf(picture: Buffer): string {
  return picture.subarray(0, 2).toString() === 'P6' ? 'image/x-portable-pixmap' : 'image/png';
}

/** The names are told only to who knows how many there are. */
function nodeStats(values: Readonly<Record<string, number>>, nparams: number) {
  const params = Object.entries(values).map(([field, value]) => ({ field, value }));
  if (nparams === 0) return { params: [], nparams: params.length };
  if (nparams !== params.length) throw refusals.nodeParams();
  return { params, nparams };
}
