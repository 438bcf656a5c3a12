import { stringify } from 'yaml';
import type { Config, Host } from '../config/config.ts';
import { type Loaded, type LoadOptions, loadConfig } from '../config/load.ts';
import { ConfigError, renderProblems } from '../config/problem.ts';
import type { LoaderSettings } from '../model/loader-settings.ts';
import { formatDuration } from '../util/duration.ts';
import { type ExitCode, exitCode, type Output, told } from './terminal.ts';

type Vm = Config['vms'][number];
type Creation = NonNullable<Vm['create']>;

export interface CheckConfigOptions extends LoadOptions, Output {
  json: boolean;
  rights: boolean;
}

/**
 * `dsm2mqtt check-config`: shows the configuration as understood, in YAML, or every problem; with `json`, as one
 * document on stdout. It connects to nothing, unless `rights` asks libvirt. 0; 1: libvirt does not allow something, or
 * could not be asked; 2: the configuration is wrong; 3: libvirt was not reached. Throws `Refusal`.
 */
export async function checkConfig({ json, rights, stdout, stderr, ...options }: CheckConfigOptions): Promise<ExitCode> {
  const print = (document: object) => stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  try {
    const loaded = await loadConfig(options);
    const asked = rights ? await (await import('./rights/asked.ts')).askRights(loaded.config) : null;
    const understood = snake(whole(loaded)) as object;
    if (json) print({ ok: true, ...understood, problems: [], ...asked?.document });
    else {
      const yaml = stringify(understood, { lineWidth: 0 });
      stdout.write(`${yaml}\n${['The configuration is fine.', ...(asked?.lines ?? [])].join('\n')}\n`);
    }
    const codes = asked?.refused.map(refusal => told(refusal, stderr)) ?? [];
    return codes[0] ?? (asked?.missing ? exitCode.failed : exitCode.succeeded);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (json) print({ ok: false, problems: error.problems });
    else stderr.write(`${renderProblems(error.problems)}\n`);
    return exitCode.usage;
  }
}

/** What a diagnosis needs of it, with keys as in the file; of secrets, and of the user, only whether there are any. */
export function summarize({ config, sources }: Loaded): object {
  // The user's name is often a common word.
  const mqtt = { ...brokerOf(config), username: config.mqtt.username !== null };
  return snake({ sources, ...mainParts(config, () => ({})), mqtt }) as object;
}

/** All of it, but of secrets only whether there are any. */
function whole({ config, sources }: Loaded) {
  const { homeAssistant, notify, heartbeat, health, web, log } = config;
  const of = ({ guest, address, suggestedArea, linkByMac, expected, console, checks }: Common) => ({
    ...{ guest, address, suggestedArea, linkByMac, expected, console },
    checks: {
      ...checks,
      ...{ schedule: checks.schedule ?? 'never', deepSchedule: checks.deepSchedule ?? 'never' },
      ...{ bootGrace: formatDuration(checks.bootGrace), probeTimeout: formatDuration(checks.probeTimeout) },
    },
  });
  return {
    ...{ sources, ...mainParts(config, of), homeAssistant },
    notify: notify.map(({ url, token, ...each }) => ({ url: originOf(url), ...each, token: token !== null })),
    heartbeat: heartbeat && { url: originOf(heartbeat.url), interval: formatDuration(heartbeat.interval) },
    health: { listen: hostAndPort(health.listen) },
    web: { ...web, listen: hostAndPort(web.listen), token: web.token !== null },
    log,
  };
}

/** The path of many is a secret. */
function originOf(url: string): string {
  return `${new URL(url).origin}/…`;
}

function hostAndPort(listen: Config['health']['listen']): string {
  return listen ? `${listen.host}:${listen.port}` : 'off';
}

function brokerOf({ mqtt }: Config) {
  const { url, clientId, username, baseTopic } = mqtt;
  const secrets = { password: mqtt.password !== null, clientCertificate: mqtt.cert !== null };
  return { url, clientId, username, ...secrets, baseTopic };
}

/** `more`: of a VM. */
function mainParts(config: Config, more: (vm: Common) => object) {
  const { instance, hosts, vms, templates, dataDir } = config;
  return {
    ...{ instance, mqtt: brokerOf(config) },
    libvirt: hosts[0]?.name === null ? summarizeHost(hosts[0]) : hosts.map(summarizeHost),
    vms: [
      ...vms.map(({ domain, key, label, ...vm }) => summarizeVm({ domain }, { id: key, name: label, ...more(vm) }, vm)),
      ...templates.map(({ except, ...vm }) => summarizeVm({ all: true }, { except, ...more(vm) }, vm)),
    ],
    dataDir,
  };
}

/** What a VM has, and all of a host together. */
type Common = Omit<Vm, 'domain' | 'key' | 'label'>;

function summarizeVm(which: object, more: object, vm: Common) {
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
