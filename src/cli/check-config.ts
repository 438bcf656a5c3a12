import { type Config, type Host, hostsOf } from '../config/config.ts';
import { type Loaded, type LoadOptions, loadConfig } from '../config/load.ts';
import { ConfigError, renderProblems } from '../config/problem.ts';
import { size } from '../loader/plan/plan.ts';
import type { LoaderSettings } from '../model/loader-settings.ts';
import { formatDuration } from '../util/duration.ts';
import { type ExitCode, exitCode, type Output } from './terminal.ts';

type Vm = Config['vms'][number];
type Creation = NonNullable<Vm['create']>;

export interface CheckConfigOptions extends LoadOptions, Output {
  json: boolean;
  rights: boolean;
}

/**
 * `dsm2mqtt check-config`: shows the configuration as understood, or every problem; with `json`, as one document on
 * stdout. It connects to nothing, unless `rights` asks libvirt. 0; 1: libvirt does not allow something, or could not be
 * asked; 2: the configuration is wrong; 3: libvirt was not reached. Throws `Refusal`.
 */
export async function checkConfig({ json, rights, stdout, stderr, ...options }: CheckConfigOptions): Promise<ExitCode> {
  const print = (document: object) => stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  try {
    const loaded = await loadConfig(options);
    const asked = rights ? await (await import('./rights/asked.ts')).askRights(loaded.config) : null;
    if (json) print({ ok: true, ...summarize(loaded), problems: [], ...asked?.document });
    else stdout.write(`${[...linesOf(loaded), 'The configuration is fine.', ...(asked?.lines ?? [])].join('\n')}\n`);
    return asked?.missing ? exitCode.failed : exitCode.succeeded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (json) print({ ok: false, problems: error.problems });
    else stderr.write(`${renderProblems(error.problems)}\n`);
    return exitCode.usage;
  }
}

/** With keys as in the file, and no secrets: only whether there are passwords and keys. */
export function summarize({ config, sources }: Loaded, username: unknown = config.mqtt.username): object {
  const { instance, mqtt, hosts, vms, templates, dataDir } = config;
  const { url, clientId, baseTopic } = mqtt;
  const secrets = { password: mqtt.password !== null, clientCertificate: mqtt.cert !== null };
  return snake({
    ...{ sources, instance },
    mqtt: { url, clientId, username, ...secrets, baseTopic },
    libvirt: hosts[0]?.name === null ? summarizeHost(hosts[0]) : hosts.map(summarizeHost),
    vms: [
      ...vms.map(({ domain, key, label, ...vm }) => summarizeVm({ domain }, { id: key, name: label }, vm)),
      ...templates.map(({ except, ...vm }) => summarizeVm({ all: true }, { except }, vm)),
    ],
    dataDir,
  }) as object;
}

function summarizeVm(which: object, more: object, vm: Omit<Vm, 'domain' | 'key' | 'label'>) {
  const { on, commands, after, shutdown, reboot, create, loader } = vm;
  return {
    ...{ ...which, ...(on !== null && { on }), ...more, commands, ...(after.length > 0 && { after }) },
    shutdown: {
      ...shutdown,
      timeout: formatDuration(shutdown.timeout),
      resendEvery: formatDuration(shutdown.resendEvery),
    },
    ...{ reboot, create: create && summarizeCreate(create), loader: loader && summarizeLoader(loader) },
  };
}

function summarizeHost({ name, statsInterval, ...host }: Host) {
  return { ...(name !== null && { name }), ...host, statsInterval: formatDuration(statsInterval) };
}

/** Without MAC, and of the disks only how many: their names have serial numbers. */
function summarizeCreate({ memory, vcpus, firmware, bridge, image, disks }: Creation) {
  return { memory, vcpus, firmware, bridge, image, disks: disks.length };
}

function summarizeLoader({ image, ssh, ...loader }: LoaderSettings) {
  return {
    ...loader,
    image: image.way === 'volume' ? 'volume' : image.path,
    transientPool: image.way === 'volume' && image.transientPool,
    ssh: { ...ssh, password: ssh.password !== null, privateKey: ssh.privateKey !== null },
  };
}

function snake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snake);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [
    // The loader's own names begin with a capital, and stay.
    key.replaceAll(/(?<=^[a-z].*)[A-Z]/g, letter => `_${letter.toLowerCase()}`),
    snake(member),
  ]);
  return Object.fromEntries(members);
}

function linesOf({ config, sources }: Loaded): string[] {
  const { mqtt, hosts, vms, templates, dataDir } = config;
  const user = mqtt.username ? `as ${mqtt.username}, ` : '';
  const lines = [
    ['file', sources.file ?? 'none'],
    ['environment', sources.environment.join(', ') || 'nothing'],
    ['broker', `${[mqtt.url].flat().join(', ')} (${user}${mqtt.password === null ? 'without' : 'with'} password)`],
    ['topics', `${mqtt.baseTopic}/…`],
    ...hosts.map(host => ['libvirt', hostText(host)]),
    ['data', dataDir],
    ...vms.flatMap(vm => {
      const readOnly = hostsOf(config, vm).every(host => host.readOnly);
      return [
        ['vm', `${vmText(vm)} as ${mqtt.baseTopic}/${vm.key}, ${commandsText(vm, readOnly)}`],
        ...(vm.create ? createLines(vm.create) : []),
        ...(vm.loader ? loaderLines(vm.loader) : []),
      ];
    }),
    ...templates.map(({ except, ...vm }) => {
      const out = except.length === 0 ? '' : ` except ${except.join(', ')}`;
      const readOnly = hosts.some(({ name, readOnly }) => name === vm.on && readOnly);
      return ['vm', `${vmText({ domain: 'every other domain', ...vm })}${out}, ${commandsText(vm, readOnly)}`];
    }),
  ];
  return lines.map(([name = '', value]) => `${name.padEnd(12)} ${value}`);
}

function hostText({ name, uri, readOnly, statsInterval }: Host): string {
  const what = `${uri}${readOnly ? ' (read-only)' : ''}, statistics every ${formatDuration(statsInterval)}`;
  return name === null ? what : `${name}: ${what}`;
}

function vmText({ domain, on }: Pick<Vm, 'domain' | 'on'>): string {
  return on === null ? domain : `${domain} on ${on}`;
}

function commandsText({ commands, shutdown, after }: Omit<Vm, 'domain' | 'key' | 'label'>, readOnly: boolean): string {
  if (readOnly || commands.length === 0) return 'no commands';
  const then = shutdown.onTimeout === 'force_off' ? ', then its power is cut' : '';
  const within = `shutdown (within ${formatDuration(shutdown.timeout)}${then})`;
  const order = after.length > 0 ? `; after ${after.join(' and ')}` : '';
  return `commands ${commands.map(word => (word === 'shutdown' ? within : word)).join(', ')}${order}`;
}

/** Below their VM's. */
function createLines({ memory, vcpus, firmware, bridge, image, disks }: Creation): [name: string, value: string][] {
  const count = disks.length === 1 ? '1 disk' : `${disks.length} disks`;
  return [['  create', `${size(memory)} of memory, ${vcpus} vCPUs, ${firmware}, bridge ${bridge}, ${image}, ${count}`]];
}

/** Below their VM's. */
function loaderLines(loader: LoaderSettings): [name: string, value: string][] {
  const { addons, extensions, sataMap: map, ssh, image } = loader;
  const upgraded = loader.upgrade === 'full' ? 'upgraded first' : 'not upgraded';
  const identity = loader.keepIdentity ? 'serial number and MACs kept' : 'a new serial number';
  const pool = image.way === 'volume' && image.transientPool ? ', by a pool made for it if there is none' : '';
  const ways = [ssh.privateKey === null ? '' : 'a key', ssh.password === null ? '' : 'a password'].filter(Boolean);
  const login = ways.join(' or ') || "the loader's own password";
  const user = ssh.user ?? "the loader's own user";
  const where = ssh.host === null ? `the VM's address, port ${ssh.port}` : `${ssh.host}:${ssh.port}`;
  const kept = loader.keepBackups === 1 ? 'the newest' : `the newest ${loader.keepBackups}`;
  return [
    ['  loader', `${loader.kind} for ${loader.model}, ${loader.platform}, ${upgraded}, ${identity}`],
    ['  extensions', extensions.join(', ') || 'none'],
    ['  add-ons', addons.join(', ') || 'none'],
    [
      '  disk maps',
      map === 'auto'
        ? "worked out from the VM's controllers"
        : `SataPortMap ${map.SataPortMap}, DiskIdxMap ${map.DiskIdxMap}`,
    ],
    ['  image', image.way === 'volume' ? `a storage volume of libvirt${pool}` : image.path],
    ['  ssh', `${user} at ${where}, with ${login}, host key ${ssh.hostKey ?? 'accepted anew at each boot'}`],
    ['  failure', loader.onFailure === 'auto' ? 'rolled back' : 'left to the command rollback'],
    ['  backups', `${kept} in ${loader.backupDir}`],
  ];
}
