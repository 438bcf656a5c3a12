import type { Rejection } from '../model/codes.ts';
import { type Command, isInvalid, maxPayload, parseCommand } from '../model/command.ts';
import type { Message } from '../model/message.ts';
import type { VmKey } from '../model/snapshot.ts';
import { type Topics, topicFault } from '../model/topics.ts';
import type { Request } from './responder.ts';

export type ReadRequest =
  | { request: Request; command: Command }
  | { request: Request; rejection: Rejection }
  /** Not a command: another topic, or the empty payload that clears a stored one. */
  | null;

export interface ReadOptions {
  topics: Topics;
  /** No answer goes to these topics, or below: they are the bridge's own, and Home Assistant's. */
  reserved: readonly string[];
  known: (key: VmKey) => boolean;
  /** When it arrived: monotonic milliseconds, and milliseconds since 1970. */
  now: number;
  date: number;
}

/**
 * What a message asks for. One with the retain flag is refused whatever it says: it was stored in another hour, or it
 * comes from a broker that stored it, through a bridge between two brokers.
 */
export function readRequest(message: Message, { topics, reserved, known, now, date }: ReadOptions): ReadRequest {
  const address = topics.commands.parse(message.topic);
  if (!address || message.payload.length === 0) return null;
  const { payload } = message;
  const fault = routeFault(message, topics.vm(address.key).response, reserved);
  const parsed = parseCommand(address.kind, payload.toString('utf8', 0, maxPayload + 1));
  const request: Request = {
    key: address.key,
    command: parsed.word,
    id: parsed.id,
    by: isInvalid(parsed) ? null : parsed.by,
    responseTopic: fault === null ? message.responseTopic : null,
    correlationData: fault === null ? message.correlationData : null,
    reply: null,
    receivedAt: now,
  };
  const refuse = (rejection: Rejection) => ({ request, rejection });
  if (message.retain) {
    const text =
      'a command with the retain flag is never carried out: publish it without; an empty retained message clears a stored one';
    return refuse({ code: 'retained', message: text });
  }
  // Within a session nothing is lost, so this one has been here before.
  if (message.duplicate) return refuse({ code: 'duplicate', message: 'the broker has delivered this message twice' });
  if (!known(address.key)) return refuse({ code: 'unknown_vm', message: `there is no VM '${address.key}' here` });
  if (isInvalid(parsed)) return refuse(parsed);
  if (fault !== null) return refuse({ code: 'invalid_payload', message: fault });
  return { request, command: sooner(parsed, message.expirySeconds, date) };
}

/** A command that did not come over the broker. */
export function readLocalRequest(
  key: VmKey,
  payload: string,
  { known, now }: Pick<ReadOptions, 'known' | 'now'>,
  reply: NonNullable<Request['reply']>,
): NonNullable<ReadRequest> {
  const parsed = parseCommand('command', payload);
  const by = isInvalid(parsed) ? null : parsed.by;
  const route = { responseTopic: null, correlationData: null, reply };
  const request: Request = { key, command: parsed.word, id: parsed.id, by, ...route, receivedAt: now };
  if (!known(key)) {
    return { request, rejection: { code: 'unknown_vm', message: `there is no VM '${key}' here` } };
  }
  return isInvalid(parsed) ? { request, rejection: parsed } : { request, command: parsed };
}

/** Bytes. */
const mostCorrelationData = 1_024;

/** Why no answer can go where the sender wants it. `own` is the VM's response topic, where every answer goes anyway. */
function routeFault({ responseTopic, correlationData }: Message, own: string, reserved: readonly string[]) {
  if (correlationData && correlationData.length > mostCorrelationData) {
    return `the correlation data must have at most ${mostCorrelationData} bytes`;
  }
  if (responseTopic === null || responseTopic === own) return null;
  const fault = topicFault(responseTopic);
  if (fault !== null) return `the response topic ${fault}`;
  const root = reserved.find(each => `${responseTopic}/`.startsWith(`${each}/`));
  return root === undefined ? null : `the response topic must not be ${root}, nor below it`;
}

/** The message's own life (MQTT 5) ends a command as `expires_at` does. */
function sooner(command: Command, expirySeconds: number | null, date: number): Command {
  if (expirySeconds === null) return command;
  const expiresAt = Math.min(command.expiresAt ?? Number.POSITIVE_INFINITY, date + expirySeconds * 1_000);
  return { ...command, expiresAt };
}
