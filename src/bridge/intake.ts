import { type Command, isRejection, parseCommand, type Rejection, type RejectionCode } from '../model/command.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Topics } from '../model/topics.ts';
import type { Request } from './respond.ts';

/** A message as it came; the MQTT client's own type has more. */
export interface Incoming {
  topic: string;
  payload: Buffer;
  retain: boolean;
  responseTopic: string | null;
  correlationData: Buffer | null;
}

export type Intake =
  | { request: Request; command: Command }
  | { request: Request; rejection: Rejection | { code: RejectionCode; message: string } }
  /** Not a command: another topic, or the empty payload that clears a stored one. */
  | null;

/** What a message asks for. A stored one was meant for another hour, so it is refused whatever it says. */
export function takeIn(topics: Topics, known: (key: VmKey) => boolean, message: Incoming, receivedAt: number): Intake {
  const address = topics.commands.parse(message.topic);
  if (!address || message.payload.length === 0) return null;
  const { responseTopic, correlationData } = message;
  const parsed = parseCommand(address.kind, message.payload.toString('utf8'));
  const command = isRejection(parsed) ? parsed.command : parsed.word;
  const request = { key: address.key, command, id: parsed.id, responseTopic, correlationData, receivedAt };
  if (message.retain) {
    const text = 'a stored (retained) command is never carried out; clear it by publishing an empty retained message';
    return { request, rejection: { code: 'retained', message: text } };
  }
  if (!known(address.key)) {
    return { request, rejection: { code: 'unknown_vm', message: `there is no VM '${address.key}' here` } };
  }
  return isRejection(parsed) ? { request, rejection: parsed } : { request, command: parsed };
}
