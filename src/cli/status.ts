import { setTimeout as delay } from 'node:timers/promises';
import type { Config, HostConfig } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { TimeoutError } from '../libvirt/errors.ts';
import { CountersPicker } from '../vm/counters.ts';
import { sampleGroups } from '../vm/poll.ts';
import { type Sample, toStats } from '../vm/rates.ts';
import type { Target } from '../vm/watch.ts';
import { ofEachHost, withDomains } from './domains.ts';
import { renderVm } from './table.ts';
import { type ExitCode, exitCode, print, type Takes, told } from './terminal.ts';

export interface StatusOptions extends Takes<'json'> {
  config: Config;
}

/** Milliseconds: between the two samples that make a rate, and for one of them. */
const between = 1_000;
const patience = 3_000;

/** `dsm2mqtt status`: asks libvirt itself, no broker needed. 0; 1: a domain is missing; 3: libvirt was not reached. */
export async function status({ config, ...output }: StatusOptions): Promise<ExitCode> {
  const { rows, refused, titleOf } = await ofEachHost(config, rowsOf);
  const documents = rows.map(({ missing: _, ...row }) => row);
  const texts = rows.map(({ domain, stats, missing, ...row }) =>
    domain ? renderVm({ ...domain, name: titleOf(row), stats }) : `${titleOf(row)}: ${missing}`,
  );
  print(output, documents, texts.join('\n\n'));
  const codes = refused.map(error => told(error, output.stderr));
  return codes[0] ?? (rows.every(row => row.domain) ? exitCode.succeeded : exitCode.failed);
}

function rowsOf(config: HostConfig) {
  return withDomains(config, async (client, watch) => {
    const stats = await sampleTwice(client, watch.targets());
    return config.vms.map(({ key, label }) => {
      const target = watch.target(key);
      // Both null where libvirt has no such domain, the latter also while it is off.
      const row = { id: key, name: label, domain: target?.domain ?? null, stats: (target && stats(target)) ?? null };
      return { ...row, missing: watch.missing(key) };
    });
  });
}

async function sampleTwice(client: Libvirt, targets: readonly Target[]) {
  const active = targets.filter(target => target.domain.active);
  const first = await sample(client, active);
  if (active.length > 0) await delay(between);
  const second = await sample(client, active);
  const sampledAt = new Date().toISOString();
  return ({ key, domain }: Target) => {
    const latest = second.get(key);
    return latest ? toStats(domain.hardware, latest, first.get(key) ?? null, sampledAt) : null;
  };
}

async function sample(client: Libvirt, targets: readonly Target[]): Promise<Map<string, Sample>> {
  if (targets.length === 0) return new Map();
  const refs = targets.map(target => target.ref);
  const ask = () => client.stats(refs, sampleGroups, () => new CountersPicker(), { timeout: patience });
  // The first call may wait for a QEMU that hangs; the next ones do not.
  const records = await ask().catch(error => {
    if (error instanceof TimeoutError) return ask();
    throw error;
  });
  const at = performance.now();
  return new Map(
    targets.flatMap(({ key, ref }) => {
      const record = records.find(({ domain }) => domain.uuid === ref.uuid);
      return record ? [[key, { counters: record.params, at }] as const] : [];
    }),
  );
}
