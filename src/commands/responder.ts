import type { Outcome, Status } from '../model/codes.ts';
import { type CommandWord, isJob } from '../model/commands.ts';
import { ended, type Notification, requested } from '../model/notice/notification.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Send, Topics } from '../model/topics.ts';
import type { Logger } from '../util/logger.ts';

/** Where a command came from, and so where its responses go. */
export interface Request {
  key: VmKey;
  command: string | null;
  id: string | null;
  by: string | null;
  /** MQTT 5: the sender's own topic and mark. */
  responseTopic: string | null;
  correlationData: Buffer | null;
  /** Set when the sender waits on this machine. */
  reply: ((response: ResponseDocument, final: boolean) => void) | null;
  /** Monotonic, milliseconds. */
  receivedAt: number;
}

/** `B/V/response` */
export interface ResponseDocument {
  id: string | null;
  command: string | null;
  status: Status;
  code: string;
  message: string;
  elapsed_ms: number;
  /** Until the command gives up; null: it has ended. */
  remaining_ms: number | null;
}

/** Publishes the responses to each command, and logs them. */
export interface Replies {
  accepted(request: Request, word: CommandWord, remaining: number): void;
  progress(request: Request, code: string, message: string, remaining: number): void;
  ended(request: Request, outcome: Outcome): void;
}

export interface ResponderOptions {
  topics: Topics;
  send: Send;
  notify: (key: VmKey, notification: Notification) => void;
  logger: Logger;
  now?: () => Date;
}

type Answer = Pick<ResponseDocument, 'status' | 'code' | 'message'> & { remaining: number | null };

export function responseOf(
  { id, command, receivedAt }: Pick<Request, 'id' | 'command' | 'receivedAt'>,
  { status, code, message, remaining }: Answer,
): ResponseDocument {
  const elapsed_ms = Math.round(performance.now() - receivedAt);
  const remaining_ms = remaining === null ? null : Math.round(remaining);
  return { id, command, status, code, message, elapsed_ms, remaining_ms };
}

/** Replies over MQTT, and to a client on this machine. */
export class Responder implements Replies {
  readonly #options: ResponderOptions;
  readonly #logRejection: ReturnType<typeof rejectionLog>;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#logRejection = rejectionLog(options.logger);
  }

  accepted(request: Request, word: CommandWord, remaining: number): void {
    this.#answer(request, { status: 'accepted', code: 'accepted', message: `${word} is under way`, remaining });
    if (isJob(word)) this.#options.notify(request.key, requested(word, this.#commanded(request)));
  }

  progress(request: Request, code: string, message: string, remaining: number): void {
    this.#answer(request, { status: 'progress', code, message, remaining });
  }

  ended(request: Request, outcome: Outcome): void {
    this.#answer(request, { ...outcome, remaining: null });
    // A key that is not configured has no topics.
    if (outcome.code !== 'unknown_vm') this.#options.notify(request.key, ended(this.#commanded(request), outcome));
  }

  #answer(request: Request, answer: Answer): void {
    const { topics, send, logger } = this.#options;
    const { key, by, responseTopic, correlationData, reply } = request;
    const response = responseOf(request, answer);
    const { status } = answer;
    const fields = { vm: key, by, ...response };
    if (status === 'rejected') this.#logRejection(fields);
    else logger[status === 'failed' ? 'warn' : 'info']({ event: `command.${status}`, ...fields }, 'command');
    const publication = { payload: JSON.stringify(response), qos: 1, retain: false } as const;
    const own = topics.vm(key).response;
    send({ topic: own, ...publication });
    reply?.(response, answer.remaining === null);
    if (responseTopic === null || responseTopic === own) return;
    send({ topic: responseTopic, ...publication, ...(correlationData && { correlationData }) });
  }

  #commanded({ command, id, by }: Request) {
    return { command, id, by, at: (this.#options.now?.() ?? new Date()).toISOString() };
  }
}

/** Lines for each VM and code in a minute, so that a flood of commands does not flood the log. */
const most = 10;
const minute = 60_000;

/** Logs refused commands: the first ones of each kind, and then how many more came. */
export function rejectionLog(logger: Logger): (fields: { vm: VmKey; code: string }) => void {
  /** The latest minute of each kind; `at` is monotonic. */
  const minutes = new Map<string, { at: number; count: number }>();
  return fields => {
    const { vm, code } = fields;
    // A sender can invent any number of VMs.
    const kind = code === 'unknown_vm' ? { code } : { vm, code };
    const name = JSON.stringify(kind);
    const now = performance.now();
    const before = minutes.get(name);
    const current = before && now - before.at < minute ? before : { at: now, count: 0 };
    minutes.set(name, current);
    current.count += 1;
    if (current.count <= most) logger.warn({ event: 'command.rejected', ...fields }, 'command');
    if (current.count !== most + 1) return;
    const sum = () => {
      const more = current.count - most;
      logger.warn({ event: 'command.rejected_more', ...kind, more }, 'more commands were refused like these');
    };
    setTimeout(sum, current.at + minute - now).unref();
  };
}
