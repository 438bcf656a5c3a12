import { type Loaded, type LoadOptions, loadConfig } from '../config/load.ts';
import { ConfigError, renderProblems } from '../config/problem.ts';
import type { LoaderSettings } from '../model/loader-settings.ts';
import { formatDuration } from '../util/duration.ts';

/** `dsm2mqtt check-config`: what was understood, or every problem. Connects to nothing. */

export interface CheckConfigOptions {
  config?: string | undefined;
  json: boolean;
  env: Readonly<Record<string, string | undefined>>;
  stdout: Output;
  stderr: Output;
  checkUri?: NonNullable<LoadOptions['checkUri']>;
}

interface Output {
  write(text: string): unknown;
}

/** The exit code: 0 fine, 2 wrong configuration. With `json`, one document on stdout either way. */
export async function checkConfig({ json, stdout, stderr, ...options }: CheckConfigOptions): Promise<number> {
  try {
    const summary = summarize(await loadConfig(options));
    stdout.write(json ? document({ ok: true, ...summary, problems: [] }) : summaryText(summary));
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (json) stdout.write(document({ ok: false, problems: error.problems }));
    else stderr.write(`${renderProblems(error.problems)}\n`);
    return 2;
  }
}

type Summary = ReturnType<typeof summarize>;

/** Nothing secret in it: only whether there are passwords and keys. */
export function summarize({ config, sources }: Loaded) {
  const { mqtt, libvirt } = config;
  return {
    sources,
    instance: config.instance,
    mqtt: {
      url: mqtt.url,
      client_id: mqtt.clientId,
      username: mqtt.username,
      password: mqtt.password !== null,
      client_certificate: mqtt.cert !== null,
      base_topic: mqtt.baseTopic,
    },
    libvirt: { uri: libvirt.uri, read_only: libvirt.readOnly, stats_interval: formatDuration(libvirt.statsInterval) },
    vms: config.vms.map(({ domain, key, label, commands, shutdown, reboot, loader }) => ({
      domain,
      id: key,
      name: label,
      commands,
      shutdown: {
        method: shutdown.method,
        timeout: formatDuration(shutdown.timeout),
        resend_every: formatDuration(shutdown.resendEvery),
        max_presses: shutdown.maxPresses,
        on_timeout: shutdown.onTimeout,
      },
      reboot,
      loader: loader && summarizeLoader(loader),
    })),
    data_dir: config.dataDir,
  };
}

function summarizeLoader({ image, ssh, ...loader }: LoaderSettings) {
  return {
    kind: loader.kind,
    model: loader.model,
    platform: loader.platform,
    upgrade: loader.upgrade,
    extensions: loader.extensions,
    keep_identity: loader.keepIdentity,
    sata_map: loader.sataMap,
    image: image.way === 'volume' ? 'volume' : image.path,
    transient_pool: image.way === 'volume' && image.transientPool,
    ssh: {
      host: ssh.host,
      port: ssh.port,
      user: ssh.user,
      password: ssh.password !== null,
      private_key: ssh.privateKey !== null,
      host_key: ssh.hostKey,
    },
    on_failure: loader.onFailure,
    backup_dir: loader.backupDir,
    keep_backups: loader.keepBackups,
  };
}

function summaryText({ sources, mqtt, libvirt, vms, data_dir }: Summary): string {
  const user = mqtt.username ? `as ${mqtt.username}, ` : '';
  const lines = [
    ['file', sources.file ?? 'none'],
    ['environment', sources.environment.join(', ') || 'nothing'],
    ['broker', `${mqtt.url} (${user}${mqtt.password ? 'with' : 'without'} password)`],
    ['topics', `${mqtt.base_topic}/…`],
    ['libvirt', `${libvirt.uri}${libvirt.read_only ? ' (read-only)' : ''}, statistics every ${libvirt.stats_interval}`],
    ['data', data_dir],
    ...vms.flatMap(vm => [
      ['vm', `${vm.domain} as ${mqtt.base_topic}/${vm.id}, ${commandsText(vm, libvirt.read_only)}`],
      ...(vm.loader ? loaderLines(vm.loader) : []),
    ]),
  ];
  return `${lines.map(([name = '', value]) => `${name.padEnd(12)} ${value}`).join('\n')}\nThe configuration is fine.\n`;
}

function commandsText({ commands, shutdown }: Summary['vms'][number], readOnly: boolean): string {
  if (readOnly || commands.length === 0) return 'no commands';
  const { timeout, on_timeout } = shutdown;
  const then = on_timeout === 'force_off' ? ', then its power is cut' : '';
  const words = commands.map(name => (name === 'shutdown' ? `shutdown (within ${timeout}${then})` : name));
  return `commands ${words.join(', ')}`;
}

/** Below their VM's. */
function loaderLines(loader: ReturnType<typeof summarizeLoader>): [name: string, value: string][] {
  const { extensions, sata_map: map, ssh, image } = loader;
  const upgraded = loader.upgrade === 'full' ? 'upgraded first' : 'not upgraded';
  const identity = loader.keep_identity ? 'serial number and MACs kept' : 'a new serial number';
  const pool = loader.transient_pool ? ', by a pool made for it if there is none' : '';
  const ways = [ssh.private_key ? 'a key' : '', ssh.password ? 'a password' : ''].filter(Boolean);
  const login = ways.join(' or ') || "the loader's own password";
  const where = ssh.host === null ? `the VM's address, port ${ssh.port}` : `${ssh.host}:${ssh.port}`;
  const copies = loader.keep_backups === 1 ? 'the newest copy' : `the newest ${loader.keep_backups} copies`;
  const lines: [string, string][] = [
    ['loader', `${loader.kind} for ${loader.model}, ${loader.platform}, ${upgraded}, ${identity}`],
    ['extensions', extensions.join(', ') || 'none'],
    ['disks', map === 'auto' ? 'worked out' : `SataPortMap ${map.SataPortMap}, DiskIdxMap ${map.DiskIdxMap}`],
    ['image', image === 'volume' ? `a storage volume of libvirt${pool}` : image],
    ['ssh', `${ssh.user} at ${where}, with ${login}, host key ${ssh.host_key ?? 'accepted anew at each boot'}`],
    ['failure', loader.on_failure === 'auto' ? 'rolled back' : 'left to the command rollback'],
    ['backups', `${copies} in ${loader.backup_dir}`],
  ];
  return lines.map(([name, value]) => [`  ${name}`, value]);
}

function document(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
