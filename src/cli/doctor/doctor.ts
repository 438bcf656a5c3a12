import { type GatherOptions, gather } from '../../app/doctor-facts.ts';
import { isLocal } from '../../app/libvirt.ts';
import { Records } from '../../bridge/history.ts';
import type { Config } from '../../config/config.ts';
import type { HostConfig } from '../../config/hosts.ts';
import { disksStore } from '../../doctor/disks-store.ts';
import { examine } from '../../doctor/examine.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { entryOf } from '../../util/entry-of.ts';
import { silent } from '../../util/logger.ts';
import type { Watch } from '../../vm/watch.ts';
import { withOne } from '../command.ts';
import { ofEachHost, withDomains } from '../domains.ts';
import { type ExitCode, exitCode, told } from '../outcome.ts';
import { print, type Takes } from '../terminal.ts';
import { type Examined, renderExamined } from './text.ts';

export interface DoctorOptions extends Takes<'json' | 'signal'> {
  config: Config;
  /** Key or name; all, if not given. */
  vm: string | undefined;
  /** For tests. */
  partition?: GatherOptions['partition'];
}

/** `dsm2mqtt doctor`: 0: nothing serious; 1: something, or there is no such domain; 3: libvirt was not reached. */
export async function doctor({ config, vm, signal, partition, ...output }: DoctorOptions): Promise<ExitCode> {
  const look = (host: HostConfig) =>
    withDomains(host, (client, watch) => lookAtAll(host, client, watch, { signal, partition }), signal);
  const { rows, refused } = await ofEachHost(withOne(config, vm), look, signal);
  print(output, rows, rows.map(renderExamined).join('\n\n'));
  const serious = rows.some(row => row.trouble ?? row.findings.some(({ level }) => /harm|warning/.test(level)));
  const codes = refused.map(error => told(error, output.stderr));
  return codes[0] ?? (serious ? exitCode.failed : exitCode.succeeded);
}

async function lookAtAll(
  { libvirt, dataDir, vms }: HostConfig,
  client: Libvirt,
  watch: Watch,
  common: Pick<GatherOptions, 'signal' | 'partition'>,
) {
  const keys = vms.map(({ key }) => key);
  const records = new Records(dataDir, silent);
  const [histories, disks] = await Promise.all([records.load(keys), disksStore(dataDir, silent).load()]);
  const local = isLocal(libvirt, await client.hostname({ signal: common.signal }));
  const looks = vms.map(async ({ key, label, guest, loader }): Promise<Examined> => {
    const target = watch.target(key);
    const row = { id: key, name: label, local, findings: [], unseen: [] };
    if (!target) return { ...row, trouble: watch.missing(key) };
    const { stops = [] } = entryOf(histories, key)?.history ?? {};
    const shutdownSeconds = stops.length === 0 ? null : Math.max(...stops);
    const known = { guest, settings: loader, shutdownSeconds, lastDisks: entryOf(disks, key) ?? null };
    const facts = await gather({ client, target, local, ...common, ...known });
    return facts ? { ...row, ...examine(facts, guest), trouble: null } : { ...row, trouble: unreadable };
  });
  return Promise.all(looks);
}

const unreadable = 'what libvirt returned is no definition of a domain that can be read: compare `virsh dumpxml`.';
