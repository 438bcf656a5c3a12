import type { Logger } from '../util/logger.ts';
import { request } from './notifier.ts';

export interface HeartbeatOptions {
  url: string;
  /** Milliseconds. */
  interval: number;
  /** Only then it beats. */
  isWell: () => boolean;
  logger: Logger;
}

/** Milliseconds for a request. */
const patience = 10_000;

/** Tells a dead-man service that the bridge lives and can work; it tells people when it hears nothing. Returns how to stop. */
export function startHeartbeat({ url, interval, isWell, logger }: HeartbeatOptions): () => void {
  const end = new AbortController();
  const { host } = new URL(url);
  let hasFailed = false;
  const beat = async () => {
    if (!isWell()) return;
    const { status, reason } = await request(url, { redirect: 'follow' }, patience, end.signal);
    if (end.signal.aborted) return;
    const isTaken = status !== null && status >= 200 && status < 300;
    if (!isTaken && !hasFailed)
      logger.warn({ event: 'heartbeat.failed', host, reason }, 'the heartbeat is not taken; it goes on');
    else if (isTaken && hasFailed) logger.info({ event: 'heartbeat.taken', host }, 'the heartbeat is taken');
    hasFailed = !isTaken;
  };
  const timer = setInterval(() => void beat(), interval);
  return () => {
    clearInterval(timer);
    end.abort();
  };
}
