import { z } from 'zod';
import { expectations } from '../model/check.ts';
import { rebootMethods, shutdownMethods, timeoutPolicies } from '../model/command.ts';
import { type CommandWord, defaultCommands, listedCommands } from '../model/commands.ts';
import { addressFault, listenFault, scheduleFault, timezoneFault, topicFault, uriFault, urlFault } from './formats.ts';
import { checked, duration, line, port, text } from './kinds.ts';
import { loader } from './loader-schema.ts';

/**
 * The one truth about the configuration file: keys, types, defaults and the descriptions from which the JSON schema
 * is made. A key that is not here is an error. `writeOnly` marks a secret: its value is printed nowhere.
 */

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export const powerSwitchCategories = ['config', 'none'] as const;

const mqtt = z.strictObject({
  url: checked(urlFault).meta({
    description: 'The broker: mqtt, mqtts, ws or wss. No user and password in it.',
    examples: ['mqtt://broker.lan:1883', 'mqtts://broker.lan:8883'],
  }),
  client_id: line(1_000)
    .optional()
    .describe('MQTT client identifier, unique on the broker. Default: dsm2mqtt-<instance>.'),
  username: line(10_000).optional().describe('User at the broker.'),
  password: text.optional().meta({ description: 'Password at the broker.', writeOnly: true }),
  password_file: text.optional().describe('File to read the password from, instead of `password`.'),
  ca_file: text.optional().describe('Certificates of a private authority, PEM. For mqtts and wss.'),
  cert_file: text.optional().describe('Client certificate, PEM; needs key_file. For mqtts and wss.'),
  key_file: text.optional().describe('Key of the client certificate, PEM, without a passphrase.'),
  base_topic: checked(topicFault).prefault('dsm2mqtt').describe('First part of every topic of this bridge.'),
});

const homeAssistant = z.strictObject({
  discovery_prefix: checked(topicFault)
    .prefault('homeassistant')
    .describe("Discovery prefix, as in Home Assistant's MQTT options."),
  status_topic: checked(topicFault)
    .prefault('homeassistant/status')
    .describe('Topic of its birth message; the bridge announces again when it says online.'),
  power_switch_category: z
    .enum(powerSwitchCategories)
    .default('config')
    .describe('config keeps the power switch out of "turn off everything"; none makes it an ordinary switch.'),
});

const libvirt = z.strictObject({
  uri: checked(uriFault)
    .prefault('qemu:///system')
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

const vm = z.strictObject({
  domain: text.meta({ description: "libvirt's name or UUID of the domain.", examples: ['DSM'] }),
  id: text
    .optional()
    .describe('The topic segment: letters, digits, _ and -. Default: the domain with all else replaced by _.'),
  name: text.optional().describe("The device's name in Home Assistant. Default: the domain as given."),
  address: checked(addressFault)
    .optional()
    .meta({
      description:
        "DSM's name or IPv4 address in the network. Default: found by the MAC of its NIC, where this machine can.",
      examples: ['192.168.1.20'],
    }),
  commands: z
    .array(z.enum<readonly CommandWord[]>(listedCommands))
    .default([...defaultCommands])
    .describe('What may be commanded; everything else is refused. rebuild and rollback need a loader.'),
  shutdown: z
    .strictObject({
      method: z
        .enum(shutdownMethods)
        .default('acpi')
        .describe('acpi presses the power button; agent asks the guest agent; auto the agent, else the button.'),
      timeout: duration('1s')
        .prefault('5m')
        .describe('How long to wait for the guest to power off; then it has failed.'),
      resend_every: duration('1s').prefault('60s').describe('How long to wait before the guest is asked again.'),
      max_presses: z
        .int()
        .min(1)
        .max(20)
        .default(3)
        .describe(
          'How often the guest is asked from when DSM is up; before that it does not hear, and no press counts.',
        ),
      on_timeout: z
        .enum(timeoutPolicies)
        .default('report')
        .describe(
          'report tells and leaves it running; force_off cuts its power, never before 60s, nor while DSM updates.',
        ),
    })
    .prefault({})
    .describe('How this VM is shut down.'),
  expected: z
    .enum(expectations)
    .default('last_intended')
    .describe(
      'What it is meant to be: a problem is a difference from that. last_commanded: what it was last told; last_intended: also off, if DSM powered itself off and is still off 10 minutes later.',
    ),
  checks: z
    .strictObject({
      schedule: checked(scheduleFault)
        .prefault('* * * * *')
        .meta({
          description:
            'When the cheap probes run, a cron expression (seconds may stand in front), or never; with both schedules never, it is checked only on command.',
          examples: ['* * * * *', 'never'],
        }),
      deep_schedule: checked(scheduleFault)
        .prefault('*/15 * * * *')
        .meta({
          description: 'When all probes run, a cron expression, or never; not while its disks seem to be asleep.',
          examples: ['*/15 * * * *', 'never'],
        }),
      timezone: checked(timezoneFault)
        .optional()
        .meta({ description: "Time zone of the schedules. Default: the system's.", examples: ['Europe/Berlin'] }),
      failures_before_down: z
        .int()
        .min(1)
        .max(20)
        .default(2)
        .describe('Checks in a row that must find it down, 15s apart, before it is called so.'),
      boot_grace: duration('1s')
        .prefault('15m')
        .describe('How long after power on it may take to answer; four times that while it says that it updates.'),
      probe_timeout: duration('100ms', '60s')
        .prefault('5s')
        .describe('How long each probe may take, at least 100ms; a whole check takes four times that at most.'),
      ports: z.array(port).default([5_000, 5_001, 445]).describe('TCP ports that must answer.'),
    })
    .prefault({})
    .describe('How it is checked whether DSM answers.'),
  reboot: z
    .strictObject({
      method: z
        .enum(rebootMethods)
        .default('shutdown')
        .describe('shutdown sees it off and starts it again; guest lets the guest restart itself.'),
    })
    .prefault({})
    .describe('How this VM is rebooted.'),
  loader: loader.optional().describe('Its loader and how that is rebuilt. Without it, nothing of the kind is done.'),
});

export const configSchema = z
  .strictObject({
    instance: line(128).optional().describe("Name of this bridge. Default: the host's name."),
    mqtt: mqtt.describe('The MQTT broker.'),
    home_assistant: homeAssistant.prefault({}).describe('How the VMs appear in Home Assistant.'),
    libvirt: libvirt.prefault({}).describe('The hypervisor.'),
    vms: z.array(vm).min(1, 'must name at least one VM').describe('The virtual machines to bridge.'),
    data_dir: text.default('/data').describe('Directory for what must survive a restart.'),
    health: z
      .strictObject({
        listen: checked(listenFault)
          .prefault('127.0.0.1:8099')
          .meta({
            description: 'Where /health and /ready are served over HTTP, or off.',
            examples: ['127.0.0.1:8099', 'off'],
          }),
      })
      .prefault({})
      .describe('How supervisors learn how the bridge is.'),
    log: z
      .strictObject({
        level: z.enum(logLevels).default('info').describe('The least severe level that is logged.'),
        pretty: z.boolean().default(false).describe('Lines for people instead of JSON; needs pino-pretty.'),
      })
      .prefault({})
      .describe('The log, on standard output.'),
  })
  .meta({
    title: 'dsm2mqtt configuration',
    description: 'Every key can also be set by environment: DSM2MQTT_MQTT__URL.',
  });

export type RawConfig = z.output<typeof configSchema>;
