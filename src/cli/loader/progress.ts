import type { ResponseDocument } from '../../commands/responder.ts';
import type { LoaderDocument } from '../../model/documents.ts';
import type { Shown } from '../mqtt-request.ts';
import { isFinal } from '../outcome.ts';
import { bar, line, type ProgressOptions } from '../progress.ts';

/**
 * Shows a rebuild or rollback as it goes: a line for each phase and step, with a bar under them on a terminal; or every
 * document and answer as a line of JSON. What it came to goes to stdout, the way there to stderr.
 */
export class LoaderProgress implements Shown {
  readonly #options: ProgressOptions;
  #last: LoaderDocument | null = null;
  #heardAt = 0;
  #ticker: NodeJS.Timeout | undefined;
  #bar = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /** What `B/V/loader` says; what is none of its documents is passed over. */
  loader(text: string): void {
    const document = read(text);
    if (!document) return;
    const { json, stdout, stderr } = this.#options;
    const before = this.#last;
    this.#last = document;
    this.#heardAt = performance.now();
    if (json) {
      stdout.write(`${JSON.stringify(document)}\n`);
      return;
    }
    clearInterval(this.#ticker);
    this.#clear();
    const { phase, step, under_way } = document;
    if (under_way && (phase !== before?.phase || step !== before?.step)) stderr.write(`${phase}: ${step ?? ''}\n`);
    if (!under_way || !stderr.isTTY) return;
    this.#draw(document);
    this.#ticker = setInterval(() => this.#draw(document), 1_000);
  }

  show(response: ResponseDocument): void {
    const { json, stdout, stderr } = this.#options;
    if (json) {
      stdout.write(`${JSON.stringify(response)}\n`);
      return;
    }
    // Each phase has its line already.
    if (response.status === 'progress') return;
    this.#clear();
    if (!isFinal(response)) {
      // Hours may be left, of which most will not be needed.
      stderr.write(`${response.command} ${response.status}\n`);
      return;
    }
    clearInterval(this.#ticker);
    stdout.write(`${[line(response), ...this.#afterwards()].join('\n')}\n`);
  }

  note(text: string): void {
    clearInterval(this.#ticker);
    this.#clear();
    this.#options.stderr.write(`${text}\n`);
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#clear();
  }

  #afterwards(): string[] {
    const { next_step = null, backup = null } = this.#last ?? {};
    return [
      ...(next_step === null ? [] : [next_step]),
      ...(backup?.file ? [`Copy of the old loader: ${backup.file}`] : []),
    ];
  }

  #draw(document: LoaderDocument): void {
    const { stderr } = this.#options;
    const since = (performance.now() - this.#heardAt) / 1_000;
    stderr.write(`\r\u001b[K${barLine(document, since, stderr.columns ?? 80)}`);
    this.#bar = true;
  }

  #clear(): void {
    if (this.#bar) this.#options.stderr.write('\r\u001b[K');
    this.#bar = false;
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
  // A line that wraps could not be taken back.
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
