import type { Nic } from '../../model/domain.ts';
import { inTime } from '../../util/deadline.ts';
import { type Findings, type Limits, outcomeOf } from '../finding.ts';
import { type Judgement, judgeDefinition, judgePlug } from '../host/judge.ts';
import { readPlug } from '../host/plug.ts';

interface BridgeTarget {
  nics: readonly Nic[];
  /** libvirt runs on this machine. */
  local: boolean;
  /** Where `sys` and `proc` are. */
  root?: string;
}

/**
 * Whether the guest's cable is plugged in, as the host's kernel sees it: each NIC's tap, its bridge, and the bridge's
 * way out. One good NIC of several is enough. Only reads.
 */
export async function bridge({ nics, local, root = '/' }: BridgeTarget, limits: Limits): Promise<Findings['bridge']> {
  limits.signal.throwIfAborted();
  const judged = Promise.all(
    nics.map(async nic => judgeDefinition(nic, local) ?? judgePlug(await readPlug(root, nic))),
  );
  // A network driver with a fault may not answer when asked for its carrier.
  return finding(await inTime(judged, limits.timeout, tooLate, limits.signal), nics);
}

const nothing: Judgement = { kind: 'not_applicable', words: 'it has no NIC' };
const tooLate: readonly Judgement[] = [
  { kind: 'not_applicable', words: 'the kernel of this host did not say in time' },
];

/** The best NIC counts, else the first that failed; the others are mentioned. */
function finding(judgements: readonly Judgement[], nics: readonly Nic[]): Findings['bridge'] {
  const failed = judgements.find(({ kind }) => outcomeOf('bridge', kind) === 'failed') ?? null;
  const first = judgements.find(({ kind }) => kind === 'ok') ?? failed ?? judgements[0] ?? nothing;
  const others = judgements.flatMap((judgement, i) =>
    judgement.kind === 'ok' || judgement.words === first.words ? [] : `${nics[i]?.mac ?? 'NIC'}: ${judgement.words}`,
  );
  const words = [first.words, ...(others.length > 0 ? [`but of NIC ${others.join(', and of NIC ')}`] : [])].join('; ');
  const macOf = (judgement: Judgement) => nics[judgements.indexOf(judgement)]?.mac ?? null;
  const mac = failed && macOf(failed);
  const worst =
    failed && failed !== first && mac !== null ? { kind: failed.kind, mac, explanation: sentence(failed.words) } : null;
  return { kind: first.kind, ms: null, explanation: sentence(words), mac: macOf(first), worst };
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
