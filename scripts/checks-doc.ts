import { readFileSync } from 'node:fs';
import { guests } from '../src/checks/diagnosis/diagnose-other.ts';
import { type Cause, causesOf, diagnoses } from '../src/checks/diagnosis/diagnoses.ts';
import { type Machine, machines } from '../src/checks/diagnosis/evidence.ts';
import { isProblem } from '../src/checks/diagnosis/expected.ts';
import { withGuest } from '../src/checks/diagnosis/messages.ts';
import { kinds } from '../src/checks/finding.ts';
import { type GuestKind, type ProbeName, type ProbeOutcome, probeNames, probeOutcomes } from '../src/model/check.ts';
import { code, fillIn, keep, table } from './page.ts';

/**
 * Fills the generated parts of docs/checks.md from the tables that decide: `node scripts/checks-doc.ts --write`,
 * without it checks that they are current. Everything between the markers is the script's.
 */

const file = new URL('../docs/checks.md', import.meta.url);

/** The page with every part as the code has it. */
export function filled(page: string): string {
  return fillIn(page, parts);
}

const parts: Readonly<Record<string, () => string>> = {
  verdicts: () => verdictTable('dsm'),
  'other-verdicts': () => verdictTable('other'),
  probes: probeTable,
};

function verdictTable(guest: GuestKind): string {
  const { name } = guests[guest];
  const rows = [...Map.groupBy(causesOf[guest], cause => diagnoses[cause].verdict)].flatMap(([verdict, all]) =>
    all.map((cause, at) => {
      const { reason, next } = diagnoses[cause];
      return [
        at === 0 ? code(verdict) : '',
        code(cause),
        problem(cause),
        withGuest(reason, name),
        withGuest(next ?? '', name),
      ];
    }),
  );
  return table(['Verdict', 'Cause', 'Problem', 'Sentence', 'What to do'], rows);
}

/** Of a VM that is meant to run. */
function problem(cause: Cause): string {
  const machine: Machine = machines.find(word => word === cause) ?? 'running';
  const told = isProblem(cause, machine, { wish: 'running', busy: false, settling: false });
  return told === null ? '?' : told ? 'yes' : '';
}

/** What each is for; the rest of its row is the code's. */
const does: Readonly<Record<ProbeName, string>> = {
  bridge:
    "The VM's cable on this host: its tap exists, is up, and is plugged into the bridge that libvirt names; the bridge is up, and one of its network cards has a link. Only reads what the kernel reports",
  neighbour:
    "Whether the VM's own NIC, known by its MAC, answers for the address. Sends an empty datagram, so that the kernel sends an ARP request, and reads the kernel's result",
  ping: "One ping, with the system's `ping`. Never decides alone",
  tcp: 'Whether the ports of `checks.ports` accept a connection; closes each one at once',
  web: "Which page answers: DSM's, the Web Assistant's, a loader's, another one, or one that stands before DSM's. Follows a redirect to a name at the same address, and never to another address. If no web port accepts, looks for a loader's terminal (port 7681) and the SSH banner (22). Never logs in",
  dsm: 'What DSM says without a login: whether it has booted and its disks sleep (`pingpong.cgi`), whether its API answers (`SYNO.API.Info`), what its installer waits for (`get_state.cgi`)',
  http: 'Whether the pages of `checks.http` answer with the expected status, and until when their certificates are valid; any certificate will do that is valid now. Follows no redirect',
  ssh: 'Whether an SSH server greets at the port of `checks.ssh`. Never logs in',
  agent:
    "Whether the guest agent answers libvirt, with `checks.agent`. Asks for the guest's addresses, which changes nothing",
  discovery:
    "What DSM answers to Synology's discovery on UDP port 9999: that it is ready, boots or updates, and its name, model, version and ports. Recognizes DSM by its MAC; sends at most one query in five seconds, for all VMs",
};

function probeTable(): string {
  const rows = probeNames.map(name => [code(name), does[name], ...probeOutcomes.map(outcome => found(name, outcome))]);
  return table(['Probe', 'What it looks at', ...probeOutcomes.map(code)], rows);
}

function found(probe: ProbeName, outcome: ProbeOutcome): string {
  return kinds[probe][outcome]
    .map(word => (word === 'not_applicable' ? 'could not be asked' : word.replaceAll('_', ' ')))
    .join(', ');
}

if (process.argv[1] === import.meta.filename) keep(file, filled(readFileSync(file, 'utf8')), import.meta.filename);
