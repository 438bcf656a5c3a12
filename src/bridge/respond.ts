import type { Command, Rejection } from '../model/command.ts';
import type { Outcome } from '../model/job.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Topics } from '../model/topics.ts';
import type { Logger } from '../util/logger.ts';

/** Where a command came from, and so where its answers go. */
export interface Request {
  key: VmKey;
  /** What it asks for, as far as it could be read. */
  command: string | null;
  id: string | null;
  /** MQTT 5: the sender's own topic and mark. */
  responseTopic: string | null;
  correlationData: Buffer | null;
  /** Monotonic, milliseconds. */
  receivedAt: number;
}

export interface ResponderOptions {
  topics: Topics;
  send: (publication: {
    topic: string;
    payload: string;
    qos: 1;
    retain: false;
    properties?: { correlationData: Buffer };
  }) => boolean;
  logger: Logger;
}

/** `B/V/response` */
interface ResponseDocument {
  id: string | null;
  command: string | null;
  status: 'accepted' | Outcome['status'];
  code: string;
  message: string;
  elapsed_ms: number;
}

/** Every command gets its answers here, and leaves its line in the log. */
export class Responder {
  readonly #options: ResponderOptions;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  accepted(request: Request, command: Command): void {
    this.#tell(request, 'accepted', 'accepted', `${command.word} is under way`);
  }

  rejected(request: Request, rejection: Pick<Rejection, 'code' | 'message'>): void {
    this.#tell(request, 'rejected', rejection.code, rejection.message);
  }

  ended(request: Request, outcome: Outcome): void {
    this.#tell(request, outcome.status, outcome.code, outcome.message);
  }

  #tell(request: Request, status: ResponseDocument['status'], code: string, message: string): void {
    const { topics, send, logger } = this.#options;
    const { key, id, command, responseTopic, correlationData } = request;
    const elapsed_ms = Math.round(performance.now() - request.receivedAt);
    const response: ResponseDocument = { id, command, status, code, message, elapsed_ms };
    const level = status === 'failed' || status === 'rejected' ? 'warn' : 'info';
    logger[level]({ event: `command.${status}`, vm: key, ...response }, 'command');
    const publication = { payload: JSON.stringify(response), qos: 1, retain: false } as const;
    send({ topic: topics.vm(key).response, ...publication });
    if (responseTopic === null || responseTopic === topics.vm(key).response) return;
    send({ topic: responseTopic, ...publication, ...(correlationData && { properties: { correlationData } }) });
  }
}
