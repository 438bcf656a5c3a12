import type { ResponseDocument } from '../../commands/responder.ts';
import type { LoaderDocument } from '../../model/documents.ts';
import { orNull } from '../../util/or-null.ts';
import { isFinal } from '../outcome.ts';
import { line, Progress } from '../progress.ts';
import { bar } from '../terminal.ts';

/**
 * Shows a rebuild or rollback as it goes: a line for each phase and step, with a bar under them on a terminal; or every
 * document and response as a line of JSON. The result goes to stdout, the progress to stderr.
 */
export class LoaderProgress extends Progress {
  #last: LoaderDocument | null = null;

  /** The documents of `B/V/loader`; ignores anything else. */
  loader(text: string): void {
    const document = read(text);
    if (!document) return;
    const before = this.#last;
    this.#last = document;
    if (this.asJson(document)) return;
    this.close();
    const { phase, step, under_way } = document;
    if (!under_way) return;
    if (phase !== before?.phase || step !== before?.step) this.note(`${phase}: ${step ?? ''}`);
    const heardAt = performance.now();
    this.bar.draw(columns => barLine(document, (performance.now() - heardAt) / 1_000, columns));
  }

  override show(response: ResponseDocument): void {
    // Each phase has its line already.
    if (this.asJson(response) || response.status === 'progress') return;
    this.close();
    // The limit may be hours away, and most of them will not be needed.
    if (!isFinal(response)) this.note(`${response.command} ${response.status}`);
    else this.options.stdout.write(`${[line(response), ...this.#afterwards()].join('\n')}\n`);
  }

  #afterwards(): string[] {
    const { next_step = null, backup = null } = this.#last ?? {};
    return [
      ...(next_step === null ? [] : [next_step]),
      ...(backup?.file ? [`Backup of the old loader: ${backup.file}`] : []),
    ];
  }
}

/** `[######..................] 25 %  3:12  Build the loader`, in so many columns; `since`: seconds since it was said. */
export function barLine(
  { percent, step, elapsed_seconds }: Pick<LoaderDocument, 'percent' | 'step' | 'elapsed_seconds'>,
  since: number,
  columns: number,
): string {
  const seconds = Math.round((elapsed_seconds ?? 0) + since);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  const text = `${bar((percent ?? 0) / 100)} ${String(percent ?? 0).padStart(2)} %  ${time}  ${step ?? ''}`;
  // A line that wraps could not be erased.
  return [...text]
    .slice(0, Math.max(0, columns - 1))
    .join('')
    .trimEnd();
}

function read(text: string): LoaderDocument | null {
  const body = orNull(() => JSON.parse(text));
  return typeof body?.phase === 'string' && typeof body.under_way === 'boolean' ? body : null;
}
