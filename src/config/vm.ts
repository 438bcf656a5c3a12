import * as z from 'zod';
import { expectations, guestKinds } from '../model/check.ts';
import { rebootMethods, shutdownMethods, timeoutPolicies } from '../model/command.ts';
import { type CommandWord, defaultCommands, listedCommands } from '../model/commands.ts';
import { create } from './create.ts';
import { checked, duration, list, maybe, port, text, together } from './kinds.ts';
import { loader } from './loader.ts';
import { address, hostName, pagePath, schedule, timezone } from './rules/formats.ts';
import { vmRule } from './rules/sections.ts';
import { valueAt } from './value.ts';

/** The keys of `vms[]`. */

const unlessNever = (times: string) => (times === 'never' ? null : times);

const shutdown = z.strictObject({
  method: z
    .enum(shutdownMethods)
    .default('acpi')
    .describe('acpi presses the power button; agent asks the guest agent; auto the agent, else the button.'),
  timeout: duration('1s').prefault('5m').describe('How long to wait for the guest to power off; then it has failed.'),
  resend_every: duration('1s').prefault('60s').describe('How long to wait before the guest is asked again.'),
  max_presses: z
    .int()
    .min(1)
    .max(20)
    .default(3)
    .describe('How often the guest is asked from when DSM is up; before that it does not hear, and no press counts.'),
  on_timeout: z
    .enum(timeoutPolicies)
    .default('report')
    .describe('report tells and leaves it running; force_off cuts its power, never before 60s, nor while DSM updates.'),
});

const page = z
  .strictObject({
    port: port.optional().describe('Its port. Default: 80, with tls 443.'),
    tls: z.boolean().default(false).describe('https, with any certificate; until when that is valid is shown.'),
    host: maybe(
      checked(hostName).meta({
        description: "Host name in the request, which always goes to the VM's address. Default: that address.",
        examples: ['shop.lan'],
      }),
    ),
    path: checked(pagePath).prefault('/').describe('Path, with the query.'),
    status: z.int().min(100).max(599).default(200).describe('Expected status; no redirect is followed.'),
  })
  .transform(({ port, ...rest }) => ({ ...rest, port: port ?? (rest.tls ? 443 : 80) }));

const checks = z.strictObject({
  schedule: checked(schedule)
    .meta({
      description:
        'When the cheap probes run, a cron expression (seconds may stand in front), or never; with both schedules never, it is checked only on command.',
      examples: ['* * * * *', 'never'],
    })
    .transform(unlessNever)
    .prefault('* * * * *'),
  deep_schedule: checked(schedule)
    .meta({
      description: 'When all probes run, a cron expression, or never; not while its disks seem to be asleep.',
      examples: ['*/15 * * * *', 'never'],
    })
    .transform(unlessNever)
    .prefault('*/15 * * * *'),
  timezone: maybe(
    checked(timezone).meta({
      description: "Time zone of the schedules. Default: the system's.",
      examples: ['Europe/Berlin'],
    }),
  ),
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
  ports: maybe(list(port)).describe('TCP ports that must answer. Default: 5000, 5001 and 445; of another guest none.'),
  http: z.array(page).max(20).default([]).describe('Pages that must answer. Only for `guest: other`.'),
  ssh: maybe(port).describe('Port at which an SSH server must answer. Only for `guest: other`.'),
  agent: z.boolean().default(false).describe('Whether the guest agent must answer. Only for `guest: other`.'),
});

const entry = z
  .strictObject({
    domain: maybe(
      text.meta({ description: "libvirt's name or UUID of the domain. Required, unless `all`.", examples: ['DSM'] }),
    ),
    all: z
      .boolean()
      .default(false)
      .describe(
        'Instead of a domain: every one of its host that no other entry names. Then guest is other, and commands are none, unless given.',
      ),
    except: list(text).prefault([]).describe('With `all`: names or UUIDs of domains that it leaves out.'),
    on: maybe(
      text.meta({
        description:
          'The host that it is on, if `libvirt` is a list. Default: the only one; or, for a UUID, whichever has it.',
        examples: ['nas2'],
      }),
    ),
    id: maybe(text).describe(
      'The topic segment: letters, digits, _ and -. Default: the domain with all else replaced by _.',
    ),
    name: maybe(text).describe("The device's name in Home Assistant. Default: the domain as given."),
    suggested_area: maybe(text).describe('The area that Home Assistant puts the new device in. Default: none.'),
    link_by_mac: z
      .boolean()
      .default(false)
      .describe(
        "Home Assistant from 2026.8 on links the device with others that have a NIC's MAC; an older one makes one device of them.",
      ),
    guest: z
      .enum(guestKinds)
      .default('dsm')
      .describe('What runs in it: dsm, or other for any other system, without all that is for DSM alone.'),
    address: maybe(
      checked(address).meta({
        description:
          "The guest's name or IPv4 address in the network. Default: found by the MAC of its NIC, where this machine can.",
        examples: ['192.168.1.20'],
      }),
    ),
    commands: z
      .array(z.enum<readonly CommandWord[]>(listedCommands))
      .default([...defaultCommands])
      .describe('What may be commanded; everything else is refused. rebuild and rollback need a loader.'),
    shutdown: shutdown.prefault({}).describe('How this VM is shut down.'),
    after: z
      .array(text)
      .default([])
      .describe(
        'The ids of VMs that this one needs: it is started when they are up, and shut down before one of them is. Needs start and shutdown in its own commands.',
      ),
    expected: z
      .enum(expectations)
      .default('last_intended')
      .describe(
        'What it is meant to be: a problem is a difference from that. last_commanded: what it was last told; last_intended: also off, if DSM powered itself off and is still off 10 minutes later.',
      ),
    checks: checks.prefault({}).describe('How it is checked whether DSM answers.'),
    console: z
      .enum(['never', 'boots'])
      .default('never')
      .describe(
        'boots reads its serial console over libvirt while it boots, if nobody has it and no serial log can be read; virsh console then needs --force.',
      ),
    reboot: z
      .strictObject({
        method: z
          .enum(rebootMethods)
          .default('shutdown')
          .describe('shutdown sees it off and starts it again; guest lets the guest restart itself.'),
      })
      .prefault({})
      .describe('How this VM is rebooted.'),
    create: maybe(create).describe('What `dsm2mqtt create` makes of it. Without it, nothing is created.'),
    loader: maybe(loader).describe('Its loader and how that is rebuilt. Without it, nothing of the kind is done.'),
  })
  .check(together(vmRule));

/** What an entry with `all` has, unless given. */
const ofAll = { guest: 'other', commands: [] };

export const vm = z.preprocess(
  value => (valueAt(value, ['all']) === true ? { ...ofAll, ...Object(value) } : value),
  entry,
);

/** `vms: all`: of each host. */
export const everyVm = entry.parse({ all: true, ...ofAll });
