/**
 * Finds out which protocol the broker's address speaks, when a session failed before the broker answered: each wrong
 * scheme in `mqtt.url` looks like a closed connection. It makes at most three short connections, without a user, a
 * password or a client id, so it gives nothing away.
 */
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** MQTT 3.1.1, which every broker answers: a clean session, an empty client id. */
const connectPacket = Buffer.from('\x10\x0c\x00\x04MQTT\x04\x02\x00\x0f\x00\x00', 'latin1');
const connack = 0x20;
const firstOfHttp = 0x48;

const standardPorts = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };
type Scheme = keyof typeof standardPorts;

/**
 * What to write in `mqtt.url`, and why; null: nothing answers, or the scheme is right. Never rejects. `patience`:
 * milliseconds for each connection.
 */
export async function otherScheme(url: string, patience: number, signal: AbortSignal): Promise<string | null> {
  const { hostname, pathname, protocol, port: given } = new URL(url);
  const scheme = protocol.slice(0, -1) as Scheme;
  const wasWeb = scheme.startsWith('ws');
  const port = Number(given) || standardPorts[scheme];
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const place = `${hostname}:${port}`;
  const path = wasWeb ? pathname : '/mqtt';
  const open = (secure: boolean): Socket => {
    const socket = connectSocket({ host, port, signal });
    if (!secure) return socket;
    // The certificate does not matter here, only whether there is one.
    return connectTls({ socket, rejectUnauthorized: false, ...(isIP(host) ? {} : { servername: host }) });
  };
  const secure = await speaksTls(open(true), patience);
  const web = await speaksHttp(() => open(secure ?? false), patience, place, path);
  if (secure === null && web === null) return null;
  const found = `${(web ?? wasWeb) ? 'ws' : 'mqtt'}${secure ? 's' : ''}` as Scheme;
  if (found === scheme) return null;
  const what = `what listens at ${place}`;
  if (web === null && !secure) return `${what} answers without TLS, and not as a broker does: is the port right?`;
  const speech = web === null ? 'expects TLS' : `speaks ${web ? 'HTTP' : 'MQTT'} ${secure ? 'over' : 'without'} TLS`;
  const right = `${found}://${place}${found.startsWith('ws') ? path : ''}`;
  return `${what} ${speech}: write ${right} in mqtt.url${advice(scheme, found, web)}`;
}

function advice(scheme: Scheme, found: Scheme, web: boolean | null): string {
  if (web) return ' with the path of its WebSocket, or the port for MQTT itself';
  return found === 'mqtt' && scheme === 'mqtts' ? ', or the port for TLS (8883 as a rule)' : '';
}

/** Null: there was no answer that tells. */
function speaksTls(socket: Socket, patience: number): Promise<boolean | null> {
  return within<boolean>(socket, patience, tell => {
    socket.once('secureConnect', () => tell(true));
    socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => {
      if (code.includes('ALERT')) tell(true);
      else tell(code === 'ERR_SSL_WRONG_VERSION_NUMBER' ? false : null);
    });
  });
}

/** False: it speaks MQTT. Null: no answer that shows it. */
async function speaksHttp(open: () => Socket, patience: number, host: string, path: string): Promise<boolean | null> {
  const upgrade = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
  const webSocket = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZHNtMm1xdHQgbG9va3MgMQ==\r\n';
  for (const hello of [connectPacket, `${upgrade}${webSocket}Sec-WebSocket-Protocol: mqtt\r\n\r\n`]) {
    const socket = open();
    const first = await within<number>(socket, patience, tell => {
      socket.once('data', bytes => tell(bytes[0] ?? null));
      socket.write(hello);
    });
    if (first === connack) return false;
    if (first === firstOfHttp) return true;
  }
  return null;
}

/** The first answer that `ask` gets; null when the connection ends before, or the time. */
async function within<T>(
  socket: Socket,
  patience: number,
  ask: (tell: (answer: T | null) => void) => void,
): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<T | null>();
  const timer = setTimeout(resolve, patience, null);
  ask(resolve);
  socket.on('error', () => resolve(null)).on('close', () => resolve(null));
  const answer = await promise;
  clearTimeout(timer);
  socket.destroy();
  return answer;
}
