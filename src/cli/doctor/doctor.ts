import { type GatherOptions, gather } from '../../app/host/doctor-facts.ts';
import { isLocal } from '../../app/host/libvirt.ts';
import { Records } from '../../bridge/history.ts';
import type { Config, HostConfig } from '../../config/config.ts';
import { type Examination, examine } from '../../doctor/examine.ts';
import type { Source } from '../../doctor/facts.ts';
import { disksStore } from '../../doctor/host.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { fold } from '../../loader/plan/plan-text.ts';
import type { Finding } from '../../model/doctor.ts';
import { entryOf } from '../../util/entry-of.ts';
import { silent } from '../../util/logger.ts';
import type { Watch } from '../../vm/watch.ts';
import { withOne } from '../command.ts';
import { ofEachHost, withDomains } from '../domains.ts';
import { type ExitCode, exitCode, print, type Takes, told } from '../terminal.ts';

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
  const { rows, refused, titleOf } = await ofEachHost(withOne(config, vm), look, signal);
  print(output, rows, rows.map(row => renderExamined(row, titleOf(row))).join('\n\n'));
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

export interface Examined extends Examination {
  id: string;
  name: string;
  /** libvirt runs on this machine. */
  local: boolean;
  /** Why nothing was looked at, a sentence; null: it was. */
  trouble: string | null;
}

export function renderExamined(
  { local, trouble, findings, unseen }: Omit<Examined, 'id' | 'name'>,
  who: string,
): string {
  if (trouble !== null) return `${who}: ${trouble}`;
  const counts = [...Map.groupBy(findings, ({ level }) => level)].map(
    ([level, { length }]) => `${length} ${level}${length > 1 && plural.test(level) ? 's' : ''}`,
  );
  const alike = Map.groupBy(findings, ({ level, code, advice }) => `${level} ${code} ${advice}`);
  const why = { ...reasons, ...(local ? {} : { host: 'libvirt runs on another machine' }) };
  const lacking = [...Map.groupBy(unseen, ({ source }) => source)].flatMap(([source, rules]) => {
    const codes = rules.map(({ code }) => code).join(', ');
    return ['', ...fold(`Not looked at, because ${why[source]}: ${codes}.`, '  ')];
  });
  return [
    `${who}: ${counts.join(', ') || 'nothing was found'}.`,
    ...[...alike.values()].flatMap(lines),
    ...lacking,
  ].join('\n');
}

/** Why a rule could not tell, by what it needs most. */
const reasons: Readonly<Record<Source, string>> = {
  definition: 'this connection does not get the passwords of the definition',
  libvirt: 'libvirt does not tell here',
  loader: 'not enough is known of the loader, or of the processor',
  host: 'this process cannot see it, or it was never measured',
};

const plural = /warning|hint/;

const beside = ' '.repeat(11);

/** Findings with one reason and one advice. */
function lines(findings: readonly Finding[]): string[] {
  const seen = findings.flatMap(each => fold(each.seen, beside));
  return findings.slice(0, 1).flatMap(({ level, code, message, advice }) => {
    const word = (level === 'harm' || level === 'warning' ? level.toUpperCase() : level).padEnd(7);
    const told = [...fold(message, beside), ...fold(advice, `${beside}→ `, `${beside}  `)];
    return ['', `  ${word}  ${code}`, ...seen, ...told];
  });
}
