import { type Proposal, type ProposeOptions, propose } from '../../app/create.ts';
import type { Config, HostConfig } from '../../config/config.ts';
import { define, journalOf } from '../../definition/create.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { isConnectionError, isLibvirtError } from '../../libvirt/errors.ts';
import { size } from '../../loader/plan/plan.ts';
import { fold } from '../../loader/plan/plan-text.ts';
import { wantedDsm } from '../../model/loader-settings.ts';
import { findVm } from '../command.ts';
import { renderExamined } from '../doctor/doctor.ts';
import { withDomains } from '../domains.ts';
import { type ExitCode, exitCode, print, Refusal, type Takes } from '../terminal.ts';

export interface CreateOptions extends Takes<'vm' | 'json' | 'signal'>, Pick<ProposeOptions, 'partition' | 'root'> {
  config: HostConfig;
  define: boolean;
}

/** `dsm2mqtt create`: 0; 1: something is in its way; 2: there is no `create` in the configuration; 3: libvirt was not reached. */
export async function create(options: CreateOptions): Promise<ExitCode> {
  const { config, signal } = options;
  const vm = findVm(config, options.vm);
  const { create: wanted, loader } = vm;
  if (!wanted || !loader) throw new Refusal(exitCode.usage, `VM '${vm.key}' has no 'create' in the configuration.`);
  const journal = journalOf(config.dataDir, vm.key);
  const act = async (client: Libvirt) => {
    const proposal = await propose({ ...options, client, vm, create: wanted, loader, journal });
    const possible = proposal.refusals.length === 0;
    const defined = options.define && possible;
    if (defined) await made(() => define(client, { ...proposal, journal }));
    const plan = planOf(vm, loader, proposal, defined);
    print(options, { defined, ...proposal, plan }, text(vm, proposal, { plan, defined }));
    return possible ? exitCode.succeeded : exitCode.failed;
  };
  return withDomains({ libvirt: config.libvirt, vms: [vm] }, act, signal);
}

/** Turns what libvirt and the file system refuse into sentences. */
async function made(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (isLibvirtError(error))
      throw new Refusal(exitCode.failed, `libvirt refused it, and nothing was left behind. ${message}`, {
        cause: error,
      });
    if (isConnectionError(error))
      throw new Refusal(exitCode.unreached, `${message}: \`create\` once more says what was made.`);
    if (code === 'EEXIST') throw new Refusal(exitCode.failed, 'Another `create --define` of this VM is under way.');
    if (typeof code === 'string')
      throw new Refusal(exitCode.failed, `data_dir cannot be written, and nothing was made: ${message}`);
    throw error;
  }
}

type Vm = Config['vms'][number];

/** What comes next, and why the XML is as it is; sentences. */
function planOf(
  { key, domain, commands, address }: Vm,
  loader: ProposeOptions['loader'],
  { volumes, deviceTree, mac }: Proposal,
  defined: boolean,
): string[] {
  const { model, version } = wantedDsm(loader);
  const makes = volumes.map(({ path, bytes }) => `${path} (${size(bytes)})`).join(', ');
  const steps = [
    !defined &&
      `Define it: \`dsm2mqtt create ${key} --define\`, which starts nothing.${makes && ` It makes ${makes}.`}`,
    address
      ? `In your router, give ${mac} the fixed address ${address}: nothing else tells where a new VM is.`
      : `In your router, give ${mac} a fixed address, and set \`address\` to it: nothing else tells where a new VM is.`,
    !commands.includes('rebuild') && 'Add `rebuild` to its `commands`.',
    `Build its loader, with the bridge running: \`dsm2mqtt rebuild ${key}\`.`,
    `It ends in DSM's installer: open http://${address ?? 'ADDRESS'}:5000.`,
    `Install there from a file: the .pat of DSM ${version} for ${model}, from Synology's Download Center.`,
    `To start it with the host: \`virsh autostart ${domain}\`, or the switch Autostart in Home Assistant.`,
    deviceTree
      ? `Its disks are on SATA, because ${model} finds them by a device tree.`
      : "Its disks are on virtio-scsi, because Q35's SATA runs at 1.5 Gbit/s in DSM, and TinyCore RedPill hides it.",
    'Its NIC is virtio: with e1000e DSM lost its address (October 2022). RR has the driver, newer TinyCore RedPill too; for an older one add redpill-virtio to `extensions`.',
  ];
  return steps.filter(step => step !== false);
}

function text({ key, label }: Vm, proposal: Proposal, { plan, defined }: { plan: string[]; defined: boolean }): string {
  const { xml, refusals, findings, unseen, local } = proposal;
  const list = (lines: readonly string[]) => lines.flatMap(line => fold(line, '  - ', '    ')).join('\n');
  if (refusals.length > 0) return `It cannot be created:\n${list(refusals)}`;
  const who = `${label} (${key})`;
  const examined = renderExamined({ local, trouble: null, findings, unseen }, who);
  return `${defined ? `${who} is defined.\n` : xml}\n${examined}\n\nWhat comes next:\n${list(plan)}`;
}
