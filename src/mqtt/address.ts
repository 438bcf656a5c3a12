/** A broker's URL as MQTT.js's connection options. MQTT.js's own reading lets a query replace the client id. */
import type { IClientOptions } from 'mqtt';

export interface Tls {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/** Bytes of a WebSocket message, which is in memory until it is complete; it may contain several packets. */
const longestFrame = 4 * 1024 ** 2;

/** Throws a TypeError for an address that is not mqtt, mqtts, ws or wss, and for TLS files on one without TLS. */
export function address(url: string, tls: Tls = {}): IClientOptions {
  const parsed = new URL(url);
  const protocol = parsed.protocol.slice(0, -1);
  if (protocol !== 'mqtt' && protocol !== 'mqtts' && protocol !== 'ws' && protocol !== 'wss') {
    throw new TypeError(`${protocol} is not one of mqtt, mqtts, ws, wss`);
  }
  const { ca, cert, key } = tls;
  if ((ca || cert || key) && !isSecure(url)) throw new TypeError(`TLS files need mqtts or wss, not ${protocol}`);
  const web = protocol.startsWith('ws');
  return {
    protocol,
    // A WebSocket's URL is put together again and needs an IPv6 address's brackets; a socket must not have them.
    hostname: web ? parsed.hostname : parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    rejectUnauthorized: true,
    ...(parsed.port && { port: Number(parsed.port) }),
    ...(web && {
      path: parsed.pathname + parsed.search,
      wsOptions: { perMessageDeflate: false, maxPayload: longestFrame },
    }),
    ...(parsed.username && { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password && { password: decodeURIComponent(parsed.password) }),
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  };
}

export function isSecure(url: string): boolean {
  return /^(mqtts|wss):/i.test(url);
}
