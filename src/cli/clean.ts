import * as z from 'zod';
import { cliConnection, failedAt } from '../app/mqtt.ts';
import { groundOf } from '../app/stale-topics.ts';
import {
  clearedAt,
  type Ground,
  type Kept,
  keptBy,
  type Stale,
  staleFilters,
  staleIn,
  staleTopics,
} from '../bridge/stale.ts';
import type { Config, HostConfig } from '../config/config.ts';
import { orNull } from '../util/or-null.ts';
import type { Watch } from '../vm/watch.ts';
import { ofEachHost, withDomains } from './domains.ts';
import { agrees, type ExitCode, exitCode, Refusal, type Takes } from './terminal.ts';

export interface CleanOptions extends Takes<'yes' | 'stdin' | 'signal'> {
  config: Config;
}

/** Milliseconds for libvirt. */
const patience = 10_000;

/**
 * `dsm2mqtt clean`: lists what the broker keeps below our base topic of VMs and hosts that are served no more, asks, and
 * clears it. 0; 1: refused, or it is not all gone; 2: nobody can be asked; 3: libvirt or the broker was not reached.
 */
export async function clean({ config, yes, stdin, stdout, stderr, signal }: CleanOptions): Promise<ExitCode> {
  const uuids = await domainsOf(config, signal);
  const look = async () => {
    const kept = await broker(config, () =>
      keptBy(cliConnection(config), staleFilters(groundOf(config, uuids)), signal),
    );
    // A VM that the running bridge serves is not stale, even if it is not in this configuration.
    const served = owner(config, kept).map(key => [key, null] as const);
    const ground = groundOf(config, new Map([...served, ...uuids]));
    return { ground, stale: staleIn(kept, ground) };
  };
  const { ground, stale } = await look();
  const base = config.mqtt.baseTopic;
  if (isEmpty(stale)) {
    stdout.write(`Nothing is stale below ${base}/.\n`);
    return exitCode.succeeded;
  }
  stdout.write(`${listed(stale, ground, base)}\n`);
  if (!yes && !stdin.isTTY) throw new Refusal(exitCode.usage, 'there is no terminal to ask at: say --yes');
  if (!yes && !(await agrees('Remove all of this? [y/N] ', stdin, stderr, signal))) {
    throw new Refusal(exitCode.failed, 'Nothing was done.');
  }
  const topics = staleTopics(stale, ground.topics);
  await broker(config, () => clearedAt(cliConnection(config), topics, ground.topics.bridge.state, signal));
  // A broker acknowledges what a user may not write, too.
  const { stale: left } = await look();
  if (!isEmpty(left)) {
    const why = 'The broker still has it: may this user write there?';
    throw new Refusal(exitCode.failed, `${why}\n${listed(left, ground, base)}`);
  }
  stdout.write('All of it is gone.\n');
  return exitCode.succeeded;
}

/** UUIDs of the configured VMs' domains; null: libvirt has no such domain. */
async function domainsOf(config: Config, signal: AbortSignal): Promise<Map<string, string | null>> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const look = (host: HostConfig) => {
    const read = async (_: unknown, watch: Watch) =>
      host.vms.map(({ key: id }) => ({ id, uuid: watch.target(id)?.ref.uuid ?? null }));
    return withDomains(host, read, within);
  };
  const { rows, refused } = await ofEachHost(config, look, within).catch(error => ({ rows: [], refused: [error] }));
  const [away] = refused;
  const why = 'Without libvirt nobody knows which VMs there are. Nothing was done.';
  if (away) throw new Refusal(exitCode.unreached, `${away.message}\n${why}`);
  return new Map(rows.map(({ id, uuid }) => [id, uuid]));
}

const info = z.object({ instance: z.string(), vms: z.array(z.string()).optional() });

/**
 * The VMs of the bridge that has the base topic; none: no bridge runs. Throws `Refusal` when it is another bridge, or
 * when topics that it certainly publishes are missing.
 */
function owner(config: Config, kept: Kept): readonly string[] {
  const { topics, own } = groundOf(config, new Map());
  const online = kept.get(topics.bridge.state) === 'online';
  const said = orNull(() => info.parse(JSON.parse(kept.get(topics.bridge.info) ?? '')));
  const base = config.mqtt.baseTopic;
  if (said && said.instance !== config.instance) {
    const who = `The bridge of ${base}/ is '${said.instance}', and this configuration is of '${config.instance}'.`;
    throw new Refusal(exitCode.failed, `${who} Run this with that bridge's configuration. Nothing was done.`);
  }
  if (!online) return [];
  if (!said?.vms) {
    throw new Refusal(exitCode.failed, `The bridge of ${base}/ does not say which VMs it serves. Nothing was done.`);
  }
  const unseen = [...own.slice(0, 1), ...said.vms.map(key => topics.vm(key).state)].filter(topic => !kept.has(topic));
  if (unseen.length > 0) {
    const what = `The broker does not show ${unseen.slice(0, 5).join(', ')}, which the running bridge keeps there`;
    throw new Refusal(exitCode.failed, `${what}: may this user read it? Nothing was done.`);
  }
  return said.vms;
}

async function broker<T>({ mqtt }: Config, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    throw new Refusal(exitCode.unreached, failedAt(mqtt, (error as Error).message));
  }
}

function listed({ keys, hosts, devices }: Stale, { topics }: Ground, base: string): string {
  const rows = [
    // Any client may have published them, and a terminal obeys control characters.
    ...devices.map(topic => `  ${topic.replaceAll(/\p{Cc}/gu, '?')}`),
    ...[...keys.map(topics.vm), ...hosts.map(topics.host)].map(
      ({ state }) => `  ${state}, and what else is kept of it`,
    ),
  ];
  return `Not served any more, and still kept by the broker (${base}/):\n${rows.join('\n')}`;
}

function isEmpty(stale: Stale): boolean {
  return Object.values(stale).flat().length === 0;
}
