/** Requests to the bridge, all of them relative to where the page is. */

/** It answered, but not with what was asked for; `message` is its own words, a sentence. */
export class Refused extends Error {
  readonly status: number;
  /** Until it listens again; null: it does not say. */
  readonly seconds: number | null;

  constructor(status: number, answer: unknown) {
    const { message, seconds } = answer as { message?: string; seconds?: number };
    const said = message ?? `the bridge answered with ${status}`;
    super(said.replace(/^./, first => first.toUpperCase()).replace(/\.?$/, '.'));
    this.status = status;
    this.seconds = seconds ?? null;
  }
}

export function wordsOf(error: unknown): string {
  return error instanceof Refused ? error.message : 'The bridge does not answer.';
}

/** Its clock less the monotonic one, milliseconds; this device's clock, until it has told. */
let offset = performance.timeOrigin;

/** The bridge's clock, milliseconds since 1970. It goes on evenly when this device's clock is set. */
export function now(): number {
  return performance.now() + offset;
}

/** What it says now. Small differences come from the way; a larger one is of a clock that was set. */
export function hearClock(at: string): void {
  const found = Date.parse(at) - performance.now();
  if (Math.abs(found - offset) > 1_000) offset = found;
}

interface Request {
  query?: Readonly<Record<string, string>>;
  /** Makes it a POST. */
  body?: object;
  signal?: AbortSignal;
}

/** Answers other than 2xx throw `Refused`. */
export async function ask(what: string, { query, body, signal }: Request = {}): Promise<Response> {
  const response = await fetch(`api/${what}?${new URLSearchParams(query)}`, {
    signal: signal ?? null,
    ...(body && {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Dsm2mqtt': 'page' },
      body: JSON.stringify(body),
    }),
  });
  if (response.ok) return response;
  throw new Refused(response.status, await response.json().catch(() => ({})));
}

/**
 * The messages of a stream, which are JSON, a line each; before it, server-sent events have a word. What comes at once
 * is given at once; nothing, if that is a comment or a piece of a line.
 */
export async function* messagesOf<T>(response: Response): AsyncGenerator<T[]> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const piece = await reader?.read();
    if (!piece || piece.done) return;
    const lines = `${rest}${piece.value}`.split('\n');
    rest = lines.pop() ?? '';
    yield lines.filter(line => line.endsWith('}')).map(line => JSON.parse(line.replace(/^data: /, '')));
  }
}
