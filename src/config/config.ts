import { hostname } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { defaultVmKey } from '../model/topics.ts';
import { certificate, password, tlsKey } from './files.ts';
import { camel, checked, duration, file, maybe, oneOrMore, text, together } from './kinds.ts';
import { heartbeat, notify } from './notify.ts';
import { brokerUrl, libvirtName, libvirtUri, line, topic, usualUri } from './rules/formats.ts';
import { orderRule } from './rules/order.ts';
import { hostsRule, mqttRule, vmsRule } from './rules/sections.ts';
import { everyVm, vm } from './vm.ts';
import { place, web } from './web.ts';

/**
 * The one definition of the configuration: the file's keys, their types and defaults, the descriptions in the JSON
 * schema, and the options for the parts. Any other key is an error. `writeOnly` marks a secret: its value is never
 * printed.
 */

/** The options for the parts: keys in camel case, secrets read, durations in milliseconds, null for missing ones. */
export type Config = z.output<typeof configSchema>;

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;

const mqtt = z
  .strictObject({
    url: oneOrMore(brokerUrl).meta({
      description:
        'The broker: mqtt, mqtts, ws or wss. No user and password in it. Or a list: the nodes of one cluster, which are tried in turn.',
      examples: ['mqtt://broker.lan:1883', 'mqtts://broker.lan:8883'],
    }),
    client_id: maybe(checked(line(1_000))).describe(
      'MQTT client identifier, unique on the broker. Default: dsm2mqtt-<instance>.',
    ),
    username: maybe(checked(line(10_000))).describe('User at the broker.'),
    password: maybe(text).meta({ description: 'Password at the broker.', writeOnly: true }),
    password_file: maybe(file(password)).describe('File to read the password from, instead of `password`.'),
    ca_file: maybe(file(certificate)).describe('Certificates of a private authority, PEM. For mqtts and wss.'),
    cert_file: maybe(file(certificate)).describe('Client certificate, PEM; needs key_file. For mqtts and wss.'),
    key_file: maybe(file(tlsKey)).describe('Key of the client certificate, PEM, without a passphrase.'),
    base_topic: checked(topic).prefault('dsm2mqtt').describe('First part of every topic of this bridge.'),
  })
  .check(together(mqttRule))
  .transform(({ password_file, ca_file, cert_file, key_file, ...rest }) => ({
    ...rest,
    password: rest.password ?? password_file,
    ...{ ca: ca_file, cert: cert_file, key: key_file },
  }));

const homeAssistant = z.strictObject({
  discovery_prefix: checked(topic)
    .prefault('homeassistant')
    .describe("Discovery prefix, as in Home Assistant's MQTT options."),
  status_topic: checked(topic)
    .prefault('homeassistant/status')
    .describe('Topic of its birth message; the bridge announces again when it says online.'),
  power_switch_category: z
    .enum(['config', 'none'])
    .default('config')
    .describe('config keeps the power switch out of "turn off everything"; none makes it an ordinary switch.'),
});

const host = z.strictObject({
  uri: checked(libvirtUri)
    .prefault(usualUri)
    .meta({
      description:
        "libvirtd: over its unix socket, over TLS (?pkipath=FOLDER with cacert.pem, clientcert.pem and clientkey.pem), or over SSH to its socket (?keyfile=FILE&known_hosts=FILE). From another host the guest's taps cannot be seen: set address.",
      examples: [
        'qemu:///system',
        'qemu+tls://host.lan/system?pkipath=/config/pki',
        'qemu+ssh://root@host.lan/system?keyfile=/config/id_ed25519&known_hosts=/config/known_hosts',
      ],
    }),
  read_only: z
    .boolean()
    .default(false)
    .describe('Use the read-only socket: no command entities, every command is refused.'),
  stats_interval: duration('1s').prefault('30s').describe('Time between two statistics samples, at least 1s.'),
});

const namedHost = z.strictObject({
  name: checked(libvirtName).describe('Its part of the topic: letters, digits, _ and -.'),
  ...host.shape,
});

const libvirt = z.union([host, z.array(namedHost).min(1, 'must name at least one host')]);

const health = z.strictObject({
  listen: place({
    description: 'Where /health, /ready and /metrics are served over HTTP, or off.',
    examples: ['127.0.0.1:8099', 'off'],
  }).prefault('127.0.0.1:8099'),
});

const log = z.strictObject({
  level: z.enum(logLevels).default('info').describe('The least severe level that is logged.'),
  pretty: z.boolean().default(false).describe('Lines for people instead of JSON; needs pino-pretty.'),
});

const written = z.strictObject({
  instance: checked(line(128))
    .optional()
    .transform(name => name ?? hostname())
    .describe("Name of this bridge. Default: the host's name."),
  mqtt: mqtt.describe('The MQTT broker.'),
  home_assistant: homeAssistant.prefault({}).describe('How the VMs appear in Home Assistant.'),
  libvirt: libvirt.prefault({}).describe('The hypervisor, or a list of several, each with a `name`.'),
  vms: z
    .union([z.enum(['all']).transform(() => [everyVm]), z.array(vm).check(together(vmsRule)).meta({ minItems: 1 })])
    .describe('The virtual machines to bridge; `all`: every one of each host, read-only.'),
  notify: z.array(notify).default([]).describe('Addresses that are told over HTTP what happens to the VMs.'),
  heartbeat: maybe(heartbeat).describe('A dead-man service, which tells people when the bridge is gone.'),
  data_dir: text.default('/data').describe('Directory for what must survive a restart.'),
  health: health.prefault({}).describe('How supervisors learn how the bridge is.'),
  web: web.prefault({}).describe('A page for people.'),
  log: log.prefault({}).describe('The log, on standard output.'),
});

export const configSchema = written
  .check(together(hostsRule))
  .check(together(orderRule))
  .transform(config => camel(derived(config)))
  .meta({
    title: 'dsm2mqtt configuration',
    description: 'Every key can also be set by environment: DSM2MQTT_MQTT__URL.',
  });

/** Adds the defaults that depend on other keys. */
function derived({ instance, mqtt, libvirt, vms, data_dir, ...rest }: z.output<typeof written>) {
  const backups = join(data_dir, 'loader-backups');
  /** `name` null: it is the only one, and has no topic of its own. */
  const hosts: readonly (z.output<typeof host> & { name: string | null })[] = Array.isArray(libvirt)
    ? libvirt
    : [{ ...libvirt, name: null }];
  const entries = vms.map(({ commands, loader, create, checks, ...vm }) => ({
    ...vm,
    checks: { ...checks, ports: checks.ports ?? (vm.guest === 'dsm' ? [5_000, 5_001, 445] : []) },
    commands: [...new Set(commands)],
    // Without an image, `create` was refused.
    create: create && { ...create, image: create.image ?? (loader?.image.way === 'path' ? loader.image.path : '') },
    loader: loader && { ...loader, backup_dir: loader.backup_dir ?? backups },
  }));
  return {
    ...{ ...rest, instance, data_dir },
    hosts,
    mqtt: { ...mqtt, client_id: mqtt.client_id ?? `dsm2mqtt-${instance}` },
    vms: entries.flatMap(({ all, domain, on, id, name, except: _, ...vm }) => {
      // Without a domain, it was refused.
      if (all || domain === null) return [];
      /** `on` null: on any of several hosts. */
      const place = { domain, on: hosts.length === 1 ? (hosts[0]?.name ?? null) : on };
      return { ...vm, ...place, key: id ?? defaultVmKey(domain), label: name ?? domain };
    }),
    /** For hosts of which every domain is taken, one each: what their VMs have. See `every-domain.ts`. */
    templates: entries.flatMap(({ all, on, except, domain: _, id: __, name: ___, ...vm }) => {
      const covered = hosts.filter(host => all && (on === null || on === host.name));
      return covered.map(host => ({ ...vm, on: host.name, except }));
    }),
  };
}

export type Host = Config['hosts'][number];

/** The configuration as the parts of one host need it. */
export type HostConfig = Omit<Config, 'hosts'> & { libvirt: Host };

/** One for each host, with the VMs that are there, or may be there. */
export function hostConfigs({ hosts, vms, ...rest }: Config): HostConfig[] {
  return hosts.map(libvirt => ({ ...rest, libvirt, vms: vms.filter(({ on }) => on === null || on === libvirt.name) }));
}

/** Those that a VM may be on. */
export function hostsOf({ hosts }: Pick<Config, 'hosts'>, { on }: Config['vms'][number]): readonly Host[] {
  return on === null ? hosts : hosts.filter(({ name }) => name === on);
}

/** The host of a VM; the first one, if it may be on any. */
export function hostOf({ hosts }: Pick<Config, 'hosts'>, { on }: Config['vms'][number]): Host {
  const [first] = hosts;
  const host = hosts.find(({ name }) => name === on) ?? first;
  if (!host) throw new TypeError('a configuration has a host');
  return host;
}
