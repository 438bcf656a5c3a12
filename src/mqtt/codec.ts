/**
 * MQTT.js's codec keeps a buffer for each of the 65 536 packet ids unless told otherwise: 12 MiB, made at the first
 * packet. It is reached through MQTT.js, because only the copy that MQTT.js itself uses counts.
 */
import { createRequire } from 'node:module';

interface Codec {
  writeToStream: { cacheNumbers: boolean };
}

const fromMqtt = createRequire(createRequire(import.meta.url).resolve('mqtt'));
(fromMqtt('mqtt-packet') as Codec).writeToStream.cacheNumbers = false;
