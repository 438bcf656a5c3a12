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

/** Milliseconds; for tests. */
export interface NotifyTimes {
  /** For a request. */
  patience: number;
  /** Between two attempts. */
  first: number;
  cap: number;
}

const usual: NotifyTimes = { patience: 10_000, first: 1_000, cap: 300_000 };

/** Messages to one address that wait; beyond that, the oldest is given up. */
const mostWaiting = 100;

/** Tells people over HTTP what happens to the VMs, also while the broker is away. */
export class Notifier {
  readonly #instance: string;
  readonly #states: States;
  readonly #outlets: readonly Outlet[];

  constructor(
    webhooks: readonly Webhook[],
    {
      instance,
      states,
      logger,
      times = usual,
    }: { instance: string; states: States; logger: Logger; times?: NotifyTimes },
  ) {
    this.#instance = instance;
    this.#states = states;
    this.#outlets = webhooks.map(webhook => new Outlet(webhook, logger, times));
  }

  readonly tell = (key: VmKey, said: Notification): void => {
    if (this.#outlets.length === 0 || !this.#states.has(key)) return;
    const vm = this.#states.of(key).vm(key);
    const notice = noticeOf(said, this.#instance, vm);
    if (vm.quiet && notice.urgent) return;
    for (const outlet of this.#outlets) outlet.offer(notice);
  };

  /** What has not been delivered is given up. */
  close(): void {
    for (const outlet of this.#outlets) outlet.close();
  }
}

/** One address: a message at a time, in their order, each until it is taken. */
class Outlet {
  readonly #webhook: Webhook;
  readonly #logger: Logger;
  readonly #times: NotifyTimes;
  readonly #end = new AbortController();
  #waiting: Notice[] = [];
  #isBusy = false;
  #hasFailed = false;
  /** Given up, because too many waited. */
  #lost = 0;

  constructor(webhook: Webhook, logger: Logger, times: NotifyTimes) {
    this.#webhook = webhook;
    this.#logger = logger;
    this.#times = times;
  }

  offer(notice: Notice): void {
    if (!this.#webhook.on.includes(notice.event_type) || this.#end.signal.aborted) return;
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
    let pauses = backoff(this.#times);
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
      pauses = backoff(this.#times);
      this.#waiting.shift();
    }
    this.#isBusy = false;
  }

  #recovered(): void {
    this.#logger.info(
      { event: 'notify.delivered', host: this.#host, given_up: this.#lost },
      'messages are taken again',
    );
    this.#lost = 0;
  }

  async #post(notice: Notice): Promise<{ outcome: 'done' | 'again' | 'refused'; reason: string }> {
    const { url, format } = this.#webhook;
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(this.#times.patience)]);
    try {
      const { body, headers } = format === 'json' ? asJson(notice) : asNtfy(notice);
      const response = await fetch(url, {
        ...{ method: 'POST', redirect: 'manual', body, signal },
        headers: { ...headers, ...this.#authorization },
      });
      await response.body?.cancel();
      const { ok, status } = response;
      const isBusy = status >= 500 || status === 408 || status === 425 || status === 429;
      return { outcome: ok ? 'done' : isBusy ? 'again' : 'refused', reason: `HTTP ${status}` };
    } catch (error) {
      return { outcome: 'again', reason: reasonOf(error as Error) };
    }
  }

  get #authorization(): Record<string, string> {
    const { token } = this.#webhook;
    return token === null ? {} : { authorization: `Bearer ${token}` };
  }

  /** The rest of the URL may be a secret. */
  get #host(): string {
    return new URL(this.#webhook.url).host;
  }

  #warn(event: string, words: string, reason?: string): void {
    this.#logger.warn({ event, host: this.#host, ...(reason && { reason }) }, words);
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

/** Fetch hides why behind "fetch failed". */
export function reasonOf({ name, message, cause }: Error): string {
  if (name === 'TimeoutError') return 'no answer in time';
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || message : message;
}
