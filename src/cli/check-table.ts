import { fullVersion, probeNames } from '../model/check.ts';
import type { CheckDocument } from '../model/documents.ts';
import { align } from './table.ts';

/** A check as lines for a terminal: the sentence, what to do, and a row a probe. Pure. */
export function renderCheck(row: CheckDocument & { id: string; name: string }): string {
  const { id, name, verdict, reason, next_step, probes, dsm } = row;
  const rows = probeNames.flatMap(probe => {
    const { outcome, ms, explanation } = probes[probe];
    const time = ms === null ? '' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
    return outcome === null ? [] : [[probe, words[outcome], time, explanation ?? '']];
  });
  const version = fullVersion(dsm);
  const about = [dsm.name, dsm.model, version === null ? null : `DSM ${version}`, dsm.address].filter(
    word => word !== null,
  );
  return [
    `${name} (${id}): ${verdict}`,
    `  ${reason}`,
    ...(next_step === null ? [] : [`  → ${next_step}`]),
    ...(about.length > 0 ? [`  ${about.join(', ')}`] : []),
    ...(rows.length > 0 ? ['', ...align(rows)] : []),
  ].join('\n');
}

const words = { ok: 'ok', failed: 'FAILED', not_applicable: '–' } as const;
