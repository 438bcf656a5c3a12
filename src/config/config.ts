import { hostname } from 'node:os';
import type { Expectation } from '../model/check.ts';
import type { RebootMethod, ShutdownMethod, TimeoutPolicy } from '../model/command.ts';
import type { CommandWord } from '../model/commands.ts';
import type { LoaderSettings } from '../model/loader-settings.ts';
import { defaultVmKey } from '../model/topics.ts';
import type { NamedFiles } from './files.ts';
import { loaderSettings } from './loader.ts';
import type { logLevels, powerSwitchCategories, RawConfig } from './schema.ts';

/** The checked configuration as the parts take it: defaults filled in, secrets read, durations in milliseconds. */
export interface Config {
  readonly instance: string;
  readonly mqtt: {
    readonly url: string;
    readonly clientId: string;
    readonly username: string | null;
    readonly password: string | null;
    /** PEM text. */
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
    readonly baseTopic: string;
  };
  readonly homeAssistant: {
    readonly discoveryPrefix: string;
    readonly statusTopic: string;
    readonly powerSwitchCategory: (typeof powerSwitchCategories)[number];
  };
  readonly libvirt: {
    readonly uri: string;
    readonly readOnly: boolean;
    /** Milliseconds. */
    readonly statsInterval: number;
  };
  /** At least one; no two with the same key or domain. */
  readonly vms: readonly VmConfig[];
  readonly dataDir: string;
  /** Null: nowhere. */
  readonly health: { readonly listen: { readonly host: string; readonly port: number } | null };
  readonly log: { readonly level: LogLevel; readonly pretty: boolean };
}

interface VmConfig {
  /** Name or UUID. */
  readonly domain: string;
  /** Topic segment; of a domain given by UUID, without an `id`, the UUID. */
  readonly key: string;
  /** The device's name in Home Assistant. */
  readonly label: string;
  /** DSM's own, not the host's; null: not configured. */
  readonly address: string | null;
  readonly commands: readonly CommandWord[];
  /** Milliseconds. */
  readonly shutdown: {
    readonly method: ShutdownMethod;
    readonly timeout: number;
    readonly resendEvery: number;
    readonly maxPresses: number;
    readonly onTimeout: TimeoutPolicy;
  };
  readonly reboot: { readonly method: RebootMethod };
  readonly expected: Expectation;
  /** Milliseconds. */
  readonly checks: {
    /** Cron expressions; null: never. */
    readonly schedule: string | null;
    readonly deepSchedule: string | null;
    /** Null: the system's. */
    readonly timezone: string | null;
    readonly failuresBeforeDown: number;
    readonly bootGrace: number;
    readonly probeTimeout: number;
    readonly ports: readonly number[];
  };
  /** Null: it is not rebuilt. */
  readonly loader: LoaderSettings | null;
}

type LogLevel = (typeof logLevels)[number];

export function buildConfig(raw: RawConfig, files: NamedFiles): Config {
  const { mqtt, home_assistant, libvirt, log } = raw;
  const instance = raw.instance ?? hostname();
  const content = (key: string) => files.get(key) ?? null;
  return {
    instance,
    mqtt: {
      url: mqtt.url,
      clientId: mqtt.client_id ?? `dsm2mqtt-${instance}`,
      username: mqtt.username ?? null,
      password: mqtt.password ?? content('mqtt.password_file'),
      ca: content('mqtt.ca_file'),
      cert: content('mqtt.cert_file'),
      key: content('mqtt.key_file'),
      baseTopic: mqtt.base_topic,
    },
    homeAssistant: {
      discoveryPrefix: home_assistant.discovery_prefix,
      statusTopic: home_assistant.status_topic,
      powerSwitchCategory: home_assistant.power_switch_category,
    },
    libvirt: { uri: libvirt.uri, readOnly: libvirt.read_only, statsInterval: libvirt.stats_interval },
    vms: raw.vms.map((vm, index) => ({
      domain: vm.domain,
      key: vm.id ?? defaultVmKey(vm.domain),
      label: vm.name ?? vm.domain,
      address: vm.address ?? null,
      commands: [...new Set(vm.commands)],
      shutdown: {
        method: vm.shutdown.method,
        timeout: vm.shutdown.timeout,
        resendEvery: vm.shutdown.resend_every,
        maxPresses: vm.shutdown.max_presses,
        onTimeout: vm.shutdown.on_timeout,
      },
      reboot: vm.reboot,
      expected: vm.expected,
      checks: {
        schedule: timesOf(vm.checks.schedule),
        deepSchedule: timesOf(vm.checks.deep_schedule),
        timezone: vm.checks.timezone ?? null,
        failuresBeforeDown: vm.checks.failures_before_down,
        bootGrace: vm.checks.boot_grace,
        probeTimeout: vm.checks.probe_timeout,
        ports: [...new Set(vm.checks.ports)],
      },
      loader: vm.loader
        ? loaderSettings(vm.loader, raw.data_dir, key => content(`vms[${index}].loader.ssh.${key}`))
        : null,
    })),
    dataDir: raw.data_dir,
    health: { listen: placeOf(raw.health.listen) },
    log: { level: log.level, pretty: log.pretty },
  };
}

/** `HOST:PORT` */
function placeOf(listen: string): Config['health']['listen'] {
  if (listen === 'off') return null;
  const at = listen.lastIndexOf(':');
  return { host: listen.slice(0, at), port: Number(listen.slice(at + 1)) };
}

function timesOf(schedule: string): string | null {
  return schedule === 'never' ? null : schedule;
}
