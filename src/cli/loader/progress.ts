import type { ResponseDocument } from '../../commands/responder.ts';
import type { LoaderDocument } from '../../model/documents.ts';
import { isFinal } from '../outcome.ts';
import { line, type ProgressOptions, type Shown } from '../progress.ts';
import { bar, StatusLine } from '../terminal.ts';

/**
 * Shows a rebuild or rollback as it goes: a line for each phase and step, with a bar under them on a terminal; or every
 * document and response as a line of JSON. The result goes to stdout, the progress to stderr.
 */
export class LoaderProgress implements Shown {
  readonly #options: ProgressOptions;
  readonly #bar: StatusLine;
  #last: LoaderDocument | null = null;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#bar = new StatusLine(options.stderr);
  }

  /** The documents of `B/V/loader`; ignores anything else. */
  loader(text: string): void {
    const document = read(text);
    if (!document) return;
    const { json, stdout, stderr } = this.#options;
    const before = this.#last;
    this.#last = document;
    if (json) {
      stdout.write(`${JSON.stringify(document)}\n`);
      return;
    }
    this.#bar.clear();
    const { phase, step, under_way } = document;
    if (!under_way) return;
    if (phase !== before?.phase || step !== before?.step) stderr.write(`${phase}: ${step ?? ''}\n`);
    const heardAt = performance.now();
    this.#bar.draw(columns => barLine(document, (performance.now() - heardAt) / 1_000, columns));
  }

  show(response: ResponseDocument): void {
    const { json, stdout, stderr } = this.#options;
    if (json) {
      stdout.write(`${JSON.stringify(response)}\n`);
      return;
    }
    // Each phase has its line already.
    if (response.status === 'progress') return;
    this.#bar.clear();
    if (!isFinal(response)) {
      // The limit may be hours away, and most of them will not be needed.
      stderr.write(`${response.command} ${response.status}\n`);
      return;
    }
    stdout.write(`${[line(response), ...this.#afterwards()].join('\n')}\n`);
  }

  note(text: string): void {
    this.#bar.clear();
    this.#options.stderr.write(`${text}\n`);
  }

  close(): void {
    this.#bar.clear();
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
  try {
    const body = JSON.parse(text);
    return typeof body?.phase === 'string' && typeof body.under_way === 'boolean' ? body : null;
  } catch {
    return null;
  }
}
