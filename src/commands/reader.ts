import type { Rejection } from '../model/codes.ts';
import { type Command, type InvalidCommand, isInvalid, maxPayload, parseCommand } from '../model/command.ts';
import type { VmKey } from '../model/snapshot.ts';
import { type Message, type Topics, topicFault } from '../model/topics.ts';
import type { Request } from './responder.ts';

export type ReadRequest =
  | { request: Request; command: Command }
  | { request: Request; rejection: Rejection }
  /** Not a command: another topic, or the empty payload that clears a stored one. */
  | null;

export interface ReadOptions {
  topics: Topics;
  /** No response goes to these topics, or below them: they belong to the bridge, or to Home Assistant. */
  reserved: readonly string[];
  known: (key: VmKey) => boolean;
  /** When the message arrived: monotonic milliseconds, and milliseconds since 1970. */
  now: number;
  date: number;
}

/**
 * Reads a message as a command, or refuses it. A message with the retain flag is always refused: it may be old, or a
 * bridge between two brokers delivers it from a broker that stored it.
 */
export function readRequest(message: Message, { topics, reserved, known, now, date }: ReadOptions): ReadRequest {
  const { payload, responseTopic, correlationData } = message;
  const address = topics.commands.parse(message.topic);
  if (!address || payload.length === 0) return null;
  const { key, kind } = address;
  const fault = routeFault(message, topics.vm(key).response, reserved);
  const parsed = parseCommand(kind, payload.toString('utf8', 0, maxPayload + 1));
  const route = fault === null ? { responseTopic, correlationData } : nowhere;
  const request: Request = { ...senderOf(parsed), ...route, key, reply: null, receivedAt: now };
  const rejection = notToBeCarriedOut(message) ?? (known(key) ? null : unknownVm(key));
  if (rejection) return { request, rejection };
  if (isInvalid(parsed)) return { request, rejection: parsed };
  if (fault !== null) return { request, rejection: { code: 'invalid_payload', message: fault } };
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
  const request: Request = { ...senderOf(parsed), ...nowhere, key, reply, receivedAt: now };
  if (!known(key)) return { request, rejection: unknownVm(key) };
  return isInvalid(parsed) ? { request, rejection: parsed } : { request, command: parsed };
}

export function unknownVm(key: VmKey): Rejection {
  return { code: 'unknown_vm', message: `there is no VM '${key}' here` };
}

const nowhere = { responseTopic: null, correlationData: null };

function senderOf(parsed: Command | InvalidCommand): Pick<Request, 'command' | 'id' | 'by'> {
  return { command: parsed.word, id: parsed.id, by: isInvalid(parsed) ? null : parsed.by };
}

function notToBeCarriedOut({ retain, duplicate }: Message): Rejection | null {
  if (retain) {
    const message =
      'a command with the retain flag is never carried out: publish it without; an empty retained message clears a stored one';
    return { code: 'retained', message };
  }
  // No message is lost within a session, so this one has arrived before.
  return duplicate ? { code: 'duplicate', message: 'the broker has delivered this message twice' } : null;
}

const mostCorrelationData = 1_024;

/** Why no response can go where the sender wants it. `own` is the VM's response topic, which gets every response. */
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

/** The message's expiry (MQTT 5) ends a command as `expires_at` does. */
function sooner(command: Command, expirySeconds: number | null, date: number): Command {
  if (expirySeconds === null) return command;
  const expiresAt = Math.min(command.expiresAt ?? Number.POSITIVE_INFINITY, date + expirySeconds * 1_000);
  return { ...command, expiresAt };
}
