import { gather } from '../../app/doctor.ts';
import { isLocal } from '../../app/libvirt.ts';
import { vmStoreFile } from '../../bridge/vm-store.ts';
import type { Config } from '../../config/config.ts';
import { examine } from '../../doctor/examine.ts';
import { silent } from '../../util/logger.ts';
import { findVm } from '../command.ts';
import { withDomains } from '../domains.ts';
import { type ExitCode, exitCode, told } from '../outcome.ts';
import type { Output } from '../terminal.ts';
import { type Examined, renderExamined } from './text.ts';

export interface DoctorOptions extends Output {
  config: Config;
  /** Key or name; all, if not given. */
  vm: string | undefined;
  json: boolean;
  signal: AbortSignal;
}

/** `dsm2mqtt doctor`: 0: nothing serious; 1: something, or there is no such domain; 3: libvirt was not reached. */
export async function doctor({ config, vm, json, stdout, stderr, signal }: DoctorOptions): Promise<ExitCode> {
  const { libvirt, dataDir } = config;
  const vms = vm === undefined ? config.vms : [findVm(config, vm)];
  const remembered = await vmStoreFile(dataDir, silent).load();
  try {
    const rows = await withDomains(
      { libvirt, vms },
      async (client, watch) => {
        const local = isLocal(libvirt, await client.hostname({ signal }));
        const looks = vms.map(async ({ key, label, loader }): Promise<Examined> => {
          const target = watch.target(key);
          const row = { id: key, name: label, local, findings: [], unseen: [] };
          if (!target) return { ...row, trouble: watch.missing(key) };
          const stop = Object.hasOwn(remembered, key) ? remembered[key]?.last_stop : null;
          const shutdownSeconds = stop?.reason === 'shutdown' ? stop.seconds : null;
          const facts = await gather({ client, target, loader, local, shutdownSeconds, signal });
          return facts ? { ...row, ...examine(facts), trouble: null } : { ...row, trouble: unreadable };
        });
        return Promise.all(looks);
      },
      signal,
    );
    stdout.write(`${json ? JSON.stringify(rows, null, 2) : rows.map(renderExamined).join('\n\n')}\n`);
    return rows.some(isSerious) ? exitCode.failed : exitCode.succeeded;
  } catch (error) {
    if (!signal.aborted) return told(error, stderr);
    stderr.write(`${libvirt.uri}: interrupted\n`);
    return exitCode.failed;
  }
}

const unreadable = 'what libvirt returned is no definition of a domain that can be read: compare `virsh dumpxml`.';

function isSerious({ trouble, findings }: Examined): boolean {
  return trouble !== null || findings.some(({ level }) => level === 'harm' || level === 'warning');
}
