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
    if (json) print({ ok: true, ...summarize(loaded), problems: [], ...asked?.document });
    else {
      const yaml = stringify(summarize(loaded), { lineWidth: 0 });
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
