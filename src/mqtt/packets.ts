/** Converts between the project's messages and MQTT.js's packets. */
import type { IClientOptions, IClientPublishOptions, IPublishPacket } from 'mqtt';
import { writeToStream } from 'mqtt-packet';
import codec from 'mqtt-packet/constants.js';
import type { Message, Publication } from '../model/topics.ts';
import { address, type Tls } from './address.ts';
import type { Version } from './protocol-version.ts';

/**
 * MQTT.js's codec keeps a buffer for each of the 65 536 packet ids unless told otherwise: 12 MiB, made at the first
 * packet. Only in the copy that MQTT.js itself uses does it count.
 */
writeToStream.cacheNumbers = false;

/** Mosquitto acknowledges a payload above its `message_size_limit` so, though the standard has other reasons for that. */
codec.MQTT5_PUBACK_PUBREC_CODES[149] = 'Packet too large';

export interface ConnectOptions {
  url: string;
  clientId: string;
  /** Instead of the URL's. */
  username?: string;
  password?: string;
  tls?: Tls;
  /** What the broker publishes for us when the connection breaks. */
  will?: Made;
  /** From the first byte to the answered subscription, milliseconds. */
  connectTimeout: number;
  /** Seconds without a sign of life before a ping; its missing answer ends the session half of this later. */
  keepalive: number;
}

/**
 * A command has a few hundred bytes; a broker must not make us buffer more. A property of MQTT 5; for 3.1.1 see
 * `cut.ts`.
 */
export const largestIncoming = 256 * 1024;

/** One connection that MQTT.js neither renews nor queues for. Throws a TypeError for an address that cannot work. */
export function connectOptions(options: ConnectOptions, version: Version, trial: boolean): IClientOptions {
  const { url, clientId, username, password, tls, will, connectTimeout, keepalive } = options;
  return {
    ...address(url, tls),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(will && !trial && { will: { ...will, payload: Buffer.from(will.payload) } }),
    ...(version === 5 && { properties: { sessionExpiryInterval: 0, maximumPacketSize: largestIncoming } }),
    clientId,
    protocolVersion: version,
    clean: true,
    connectTimeout,
    keepalive,
    manualConnect: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    timerVariant: 'native',
  };
}

export function publishOptions({ qos, retain, correlationData, expirySeconds }: Publication): IClientPublishOptions {
  const properties = {
    ...(correlationData !== undefined && { correlationData }),
    ...(expirySeconds !== undefined && { messageExpiryInterval: expirySeconds }),
  };
  return { qos, retain, ...(Object.keys(properties).length > 0 && { properties }) };
}

/**
 * The bytes of a publication with QoS 0 and without properties (§3.3 of MQTT 3.1.1 and 5). MQTT.js would write six pieces
 * for each, which is most of what a poll of many domains costs.
 */
export function unacknowledged({ topic, payload, retain }: Made, version: Version): Buffer {
  const name = Buffer.byteLength(topic);
  const body = Buffer.byteLength(payload);
  const header = [retain ? 0x31 : 0x30];
  let left = 2 + name + (version === 5 ? 1 : 0) + body;
  do {
    header.push((left % 128) + (left > 127 ? 128 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  header.push(name >> 8, name & 255);
  const bytes = Buffer.allocUnsafe(header.length + name + (version === 5 ? 1 : 0) + body);
  bytes.set(header);
  let at = header.length + bytes.write(topic, header.length);
  if (version === 5) bytes[at++] = 0;
  if (typeof payload === 'string') bytes.write(payload, at);
  else payload.copy(bytes, at);
  return bytes;
}

/** If a sender repeats a property against the rules, MQTT.js gives a list: this counts as absent. */
export function readMessage({ topic, payload, qos, retain, dup, properties = {} }: IPublishPacket): Message {
  const { responseTopic, correlationData, messageExpiryInterval } = properties;
  return {
    topic,
    payload: Buffer.isBuffer(payload) ? payload : Buffer.from(payload),
    qos,
    retain,
    duplicate: dup,
    responseTopic: typeof responseTopic === 'string' ? responseTopic : null,
    correlationData: Buffer.isBuffer(correlationData) ? correlationData : null,
    expirySeconds: typeof messageExpiryInterval === 'number' ? messageExpiryInterval : null,
  };
}

/** A broker hangs up on a publication to an invalid topic. */
export function isTopic(topic: string): boolean {
  return topic !== '' && !/[+#\0]/.test(topic) && Buffer.byteLength(topic) <= 0xffff;
}

/** A publication whose payload is there. */
export type Made = Publication & { readonly payload: string | Buffer };

export function made(publication: Publication): Made {
  const { payload } = publication;
  return typeof payload === 'function' ? { ...publication, payload: payload() } : (publication as Made);
}

/** Bytes of the packet, at most. */
export function sizeOf({ topic, payload, correlationData }: Made): number {
  return 64 + Buffer.byteLength(topic) + Buffer.byteLength(payload) + (correlationData?.length ?? 0);
}
