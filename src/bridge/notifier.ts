import { setTimeout as delay } from 'node:timers/promises';
import { type Notice, noticeOf } from '../model/notice/notice.ts';
import type { Notification, NotificationType } from '../model/notice/notification.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { States } from '../model/state.ts';
import { backoff } from '../util/backoff.ts';
import type { Logger } from '../util/logger.ts';

export interface Webhook {
  url: string;
  format: 'json' | 'ntfy';
  on: readonly NotificationType[];
  token: string | null;
}

/** Milliseconds for a request, and between two attempts. */
const usual = { patience: 10_000, first: 1_000, cap: 300_000 };

interface NotifierOptions {
  instance: string;
  states: States;
  logger: Logger;
  /** For tests. */
  times?: typeof usual;
}

/** Messages to one address that wait; beyond that, the oldest is given up. */
const mostWaiting = 100;

/** Tells people over HTTP what happens to the VMs, also while the broker is away. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #outlets: readonly Outlet[];

  constructor(webhooks: readonly Webhook[], options: NotifierOptions) {
    this.#options = options;
    this.#outlets = webhooks.map(webhook => new Outlet({ times: usual, ...options, ...webhook }));
  }

  readonly tell = (key: VmKey, said: Notification): void => {
    const { states, instance } = this.#options;
    if (this.#outlets.length === 0 || !states.has(key)) return;
    const vm = states.of(key).vm(key);
    const notice = noticeOf(said, instance, vm);
    if (vm.quiet && notice.urgent) return;
    for (const outlet of this.#outlets) outlet.offer(notice);
  };

  /** What has not been delivered is given up. */
  close(): void {
    for (const outlet of this.#outlets) outlet.close();
  }
}

type OutletOptions = Webhook & Required<Pick<NotifierOptions, 'logger' | 'times'>>;

/** One address: a message at a time, in their order, each until it is taken. */
class Outlet {
  readonly #options: OutletOptions;
  readonly #end = new AbortController();
  #waiting: Notice[] = [];
  #isBusy = false;
  #hasFailed = false;
  /** Given up, because too many waited. */
  #lost = 0;

  constructor(options: OutletOptions) {
    this.#options = options;
  }

  offer(notice: Notice): void {
    if (!this.#options.on.includes(notice.event_type) || this.#end.signal.aborted) return;
    this.#waiting.push(notice);
    if (this.#waiting.length > mostWaiting) {
      // The first one may be on its way.
      this.#waiting.splice(1, 1);
      if (this.#lost === 0) this.#warn('notify.dropped', 'too many messages wait: the oldest are given up');
      this.#lost += 1;
    }
    if (!this.#isBusy) void this.#deliver();
  }

  close(): void {
    this.#end.abort();
  }

  async #deliver(): Promise<void> {
    this.#isBusy = true;
    const { signal } = this.#end;
    let pauses = backoff(this.#options.times);
    for (let notice = this.#waiting[0]; notice && !signal.aborted; notice = this.#waiting[0]) {
      const { outcome, reason } = await this.#post(notice);
      if (signal.aborted) break;
      if (outcome === 'again') {
        if (!this.#hasFailed) this.#warn('notify.failed', 'the message is sent again until it is taken', reason);
        this.#hasFailed = true;
        await delay(pauses.next().value, undefined, { signal }).catch(() => {});
        continue;
      }
      if (outcome === 'refused') this.#warn('notify.refused', 'the message was refused and is given up', reason);
      else if (this.#hasFailed || this.#lost > 0) this.#recovered();
      this.#hasFailed = false;
      pauses = backoff(this.#options.times);
      this.#waiting.shift();
    }
    this.#isBusy = false;
  }

  #recovered(): void {
    this.#options.logger.info(
      { event: 'notify.delivered', host: this.#host, given_up: this.#lost },
      'messages are taken again',
    );
    this.#lost = 0;
  }

  async #post(notice: Notice): Promise<{ outcome: 'done' | 'again' | 'refused'; reason: string }> {
    const { url, format, token, times } = this.#options;
    const { body, headers } = format === 'json' ? asJson(notice) : asNtfy(notice);
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const post = { method: 'POST', redirect: 'manual', body, headers: { ...headers, ...authorization } } as const;
    const { status, reason } = await request(url, post, times.patience, this.#end.signal);
    const isBusy = status === null || status >= 500 || status === 408 || status === 425 || status === 429;
    return { outcome: isBusy ? 'again' : status >= 200 && status < 300 ? 'done' : 'refused', reason };
  }

  /** The rest of the URL may be a secret. */
  get #host(): string {
    return new URL(this.#options.url).host;
  }

  #warn(event: string, words: string, reason?: string): void {
    this.#options.logger.warn({ event, host: this.#host, ...(reason && { reason }) }, words);
  }
}

function asJson(notice: Notice) {
  return { body: JSON.stringify(notice), headers: { 'content-type': 'application/json' } };
}

/** docs.ntfy.sh/publish: the text is the body. A header has only ASCII, so the title may be encoded (RFC 2047). */
function asNtfy({ title, text, urgent }: Notice) {
  const isPlain = /^[ -~]*$/.test(title);
  const encoded = isPlain ? title : `=?UTF-8?B?${Buffer.from(title).toString('base64')}?=`;
  const headers = {
    title: encoded,
    priority: urgent ? 'high' : 'default',
    tags: urgent ? 'warning' : 'information_source',
  };
  return { body: text, headers };
}

/** The status of the answer, which is not read; null: there was none, and why. `patience`: milliseconds. */
export async function request(url: string, how: RequestInit, patience: number, end: AbortSignal) {
  try {
    const response = await fetch(url, { ...how, signal: AbortSignal.any([end, AbortSignal.timeout(patience)]) });
    await response.body?.cancel();
    return { status: response.status, reason: `HTTP ${response.status}` };
  } catch (error) {
    return { status: null, reason: reasonOf(error as Error) };
  }
}

/** Fetch hides why behind "fetch failed". */
function reasonOf({ name, message, cause }: Error): string {
  if (name === 'TimeoutError') return 'no answer in time';
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || message : message;
}
