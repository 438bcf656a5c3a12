import { setTimeout as delay } from 'node:timers/promises';
import { opener } from '../app/libvirt.ts';
import type { Config } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { ConnectError, ConnectionLost, ProtocolError, TimeoutError } from '../libvirt/errors.ts';

import type { Domain } from '../model/domain.ts';
import type { Stats } from '../model/stats.ts';
import { silent } from '../util/logger.ts';
import { readCounters } from '../vm/counters.ts';
import { sampleGroups } from '../vm/poll.ts';
import { type Sample, toStats } from '../vm/rates.ts';
import { type Target, Watch } from '../vm/watch.ts';
import { renderVm } from './table.ts';

export interface StatusOptions {
  config: Config;
  json: boolean;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

/** One VM as it was found; both null where libvirt has no such domain, the latter also while it is off. */
interface Row {
  id: string;
  name: string;
  domain: Domain | null;
  stats: Stats | null;
}

/** Between the two samples that make a rate, milliseconds. */
const between = 1_000;

/** Milliseconds for one sample. */
const patience = 3_000;

/** `dsm2mqtt status`: asks libvirt itself, no broker needed. 0; 1: a domain is missing; 3: libvirt was not reached. */
export async function status({ config, json, stdout, stderr }: StatusOptions): Promise<number> {
  const { uri } = config.libvirt;
  try {
    await using client = await opener(config.libvirt)();
    const watch = new Watch({ vms: config.vms, emit: () => {}, logger: silent });
    await watch.begin(client);
    const rows = await read(client, watch, config);
    stdout.write(
      json ? `${JSON.stringify(rows, null, 2)}\n` : `${rows.map(row => renderRow(row, watch)).join('\n\n')}\n`,
    );
    return rows.every(row => row.domain) ? 0 : 1;
  } catch (error) {
    const away = [ConnectError, ConnectionLost, TimeoutError, ProtocolError].some(kind => error instanceof kind);
    stderr.write(`${uri}: ${(error as Error).message}\n`);
    return away ? 3 : 1;
  }
}

async function read(client: Libvirt, watch: Watch, { vms }: Config): Promise<Row[]> {
  const active = watch.targets().filter(target => target.domain.active);
  const first = await sample(client, active);
  if (active.length > 0) await delay(between);
  const second = await sample(client, active);
  const sampledAt = new Date().toISOString();
  return vms.map(({ key, label }) => {
    const domain = watch.target(key)?.domain ?? null;
    const latest = second.get(key);
    const stats = domain && latest ? toStats(domain.hardware, latest, first.get(key) ?? null, sampledAt) : null;
    return { id: key, name: label, domain, stats };
  });
}

async function sample(client: Libvirt, targets: readonly Target[]): Promise<Map<string, Sample>> {
  if (targets.length === 0) return new Map();
  const refs = targets.map(target => target.ref);
  // The first call may wait for a QEMU that hangs; the next one does not.
  const records = await client.stats(refs, sampleGroups, { timeout: patience }).catch(error => {
    if (error instanceof TimeoutError) return client.stats(refs, sampleGroups, { timeout: patience });
    throw error;
  });
  const at = performance.now();
  return new Map(
    targets.flatMap(({ key, ref }) => {
      const record = records.find(({ domain }) => domain.uuid === ref.uuid);
      return record ? [[key, { counters: readCounters(record.params), at }] as const] : [];
    }),
  );
}

function renderRow({ name, id, domain, stats }: Row, watch: Watch): string {
  if (!domain) return `${name} (${id}): ${watch.missing(id)}`;
  return renderVm({
    name: `${name} (${id})`,
    state: domain.state,
    reason: domain.reason,
    hardware: domain.hardware,
    stats,
  });
}
