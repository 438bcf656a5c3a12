import { type Loaded, type LoadOptions, loadConfig } from '../config/load.ts';
import { ConfigError, renderProblems } from '../config/problem.ts';
import { formatDuration } from '../util/duration.ts';

/** `dsm2mqtt check-config`: what was understood, or every problem. Connects to nothing. */

export interface CheckConfigOptions {
  config?: string | undefined;
  json: boolean;
  env: Readonly<Record<string, string | undefined>>;
  stdout: Output;
  stderr: Output;
  cwd?: string;
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

/** Nothing secret in it: only whether there is a password. */
function summarize({ config, sources }: Loaded) {
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
    vms: config.vms.map(({ domain, key, label, commands, shutdown, reboot }) => ({
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
    })),
    data_dir: config.dataDir,
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
    ...vms.map(vm => ['vm', `${vm.domain} as ${mqtt.base_topic}/${vm.id}, ${commandsText(vm, libvirt.read_only)}`]),
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

function document(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
