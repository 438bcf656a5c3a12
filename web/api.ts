import { clockOffset, steadied } from './model/link.ts';
import { parsed } from './model/stream.ts';

/** Requests to the bridge, all of them relative to where the page is. */

/** The bridge wants a token. */
export class Denied extends Error {}

/** It answered, but not with what was asked for; `message` is its own words. */
export class Refused extends Error {
  readonly seconds: number | null;

  constructor(message: string, seconds: number | null) {
    super(message);
    this.seconds = seconds;
  }
}

let offset: number | null = null;

/** The bridge's clock, milliseconds since 1970. It goes on evenly when this device's clock is set. */
export function now(): number {
  return performance.now() + (offset ?? performance.timeOrigin);
}

/** Seconds by which this device's clock is ahead of the bridge's. */
export function clockAhead(): number {
  return offset === null ? 0 : (Date.now() - now()) / 1_000;
}

let denied = (_message: string) => {};

/** Hears each answer that wants a token. */
export function onDenied(listener: (message: string) => void): void {
  denied = listener;
}

/** Answers other than 2xx throw: `Denied`, or `Refused` with the message. `body` makes it a POST. */
export async function ask(path: string, { body, signal }: { body?: object; signal?: AbortSignal } = {}) {
  const asked = performance.now();
  const response = await fetch(path, {
    cache: 'no-store',
    credentials: 'same-origin',
    ...(signal && { signal }),
    ...(body && {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Dsm2mqtt': 'page' },
      body: JSON.stringify(body),
    }),
  });
  offset = steadied(offset, clockOffset(response.headers.get('date'), asked, performance.now()));
  if (response.ok) return response;
  const answer = parsed(await response.text())[0] as { message?: unknown; seconds?: unknown } | undefined;
  const said = typeof answer?.message === 'string' ? answer.message : `The bridge answered with ${response.status}.`;
  const message = said.replace(/^./, first => first.toUpperCase());
  if (response.status === 401) {
    denied(message);
    throw new Denied(message);
  }
  throw new Refused(message, typeof answer?.seconds === 'number' ? answer.seconds : null);
}

/** JSON of a VM's own path: `record`, `samples`, `plan`. */
export async function askVm(what: string, key: string, more: Record<string, string> = {}, signal?: AbortSignal) {
  const response = await ask(pathOf(what, key, more), signal ? { signal } : {});
  return (await response.json()) as unknown;
}

export function pathOf(what: string, key: string, more: Record<string, string> = {}): string {
  return `api/${what}?${new URLSearchParams({ vm: key, ...more })}`;
}

/** Pieces of the text of a stream, until it ends; `heard` at each piece. */
export async function* piecesOf(response: Response): AsyncGenerator<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const piece = await reader?.read();
    if (!piece || piece.done) return;
    yield piece.value;
  }
}

/** An own id of each command: delivered twice, it is carried out once. */
export function newId(): string {
  return `page-${Array.from(crypto.getRandomValues(new Uint8Array(8)), byte => byte.toString(16).padStart(2, '0')).join('')}`;
}

export function wordsOf(error: unknown): string {
  if (error instanceof Refused || error instanceof Denied) return error.message;
  return 'The bridge does not answer.';
}
