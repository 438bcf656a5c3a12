/**
 * What speaks at the broker's address? Asked when a session failed before the broker answered: each wrong scheme in
 * `mqtt.url` looks like a connection that was closed. At most three short connections, without a user, a password or a
 * client id, so nothing is given away to whoever is there.
 */
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** MQTT 3.1.1, which every broker answers: a clean session, an empty client id. */
const CONNECT = Buffer.from('\x10\x0c\x00\x04MQTT\x04\x02\x00\x0f\x00\x00', 'latin1');
const CONNACK = 0x20;
const H_OF_HTTP = 0x48;

const standardPorts: Readonly<Record<Scheme, number>> = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };

/** What to write in `mqtt.url`, and why; null: nothing speaks there, or what the address says. Never rejects. `patience`: milliseconds for each connection. */
export async function otherScheme(url: string, patience: number, signal: AbortSignal): Promise<string | null> {
  const { hostname, pathname, protocol, port: given } = new URL(url);
  const scheme = protocol.slice(0, -1) as Scheme;
  const wasWeb = scheme.startsWith('ws');
  const port = Number(given) || standardPorts[scheme];
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const open = (secure: boolean): Socket => {
    const socket = connectSocket({ host, port, signal });
    if (!secure) return socket;
    // No certificate is looked at: it is only asked whether there is one.
    return connectTls({ socket, rejectUnauthorized: false, ...(isIP(host) ? {} : { servername: host }) });
  };
  const place = `${hostname}:${port}`;
  const path = wasWeb ? pathname : '/mqtt';
  const secure = await speaksTls(open(true), patience);
  const web = await speaksHttp(() => open(secure ?? false), patience, place, path);
  if (secure === null && web === null) return null;
  const found: Scheme = (web ?? wasWeb) ? (secure ? 'wss' : 'ws') : secure ? 'mqtts' : 'mqtt';
  if (found === scheme) return null;
  const what = `what listens at ${place}`;
  if (web === null && !secure) return `${what} answers without TLS, and not as a broker does: is the port right?`;
  const speech = web === null ? 'expects TLS' : `speaks ${web ? 'HTTP' : 'MQTT'} ${secure ? 'over' : 'without'} TLS`;
  const right = `${found}://${place}${found.startsWith('ws') ? path : ''}`;
  const advice = web
    ? ' with the path of its WebSocket, or the port for MQTT itself'
    : found === 'mqtt' && scheme === 'mqtts'
      ? ', or the port for TLS (8883 as a rule)'
      : '';
  return `${what} ${speech}: write ${right} in mqtt.url${advice}`;
}

type Scheme = 'mqtt' | 'mqtts' | 'ws' | 'wss';

/** Null: there was no answer that tells. */
function speaksTls(stream: Socket, patience: number): Promise<boolean | null> {
  return within<boolean>(patience, stream, (socket, tell) => {
    socket.once('secureConnect', () => tell(true));
    socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => {
      if (code.includes('ALERT')) tell(true);
      else tell(code === 'ERR_SSL_WRONG_VERSION_NUMBER' ? false : null);
    });
  });
}

/** False: it speaks MQTT. Null: there was no answer that tells. */
async function speaksHttp(open: () => Socket, patience: number, host: string, path: string): Promise<boolean | null> {
  const upgrade = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
  const webSocket = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZHNtMm1xdHQgbG9va3MgMQ==\r\n';
  for (const hello of [CONNECT, `${upgrade}${webSocket}Sec-WebSocket-Protocol: mqtt\r\n\r\n`]) {
    const first = await within<number>(patience, open(), (socket, tell) => {
      socket.once('data', bytes => tell(bytes[0] ?? null));
      socket.write(hello);
    });
    if (first === CONNACK) return false;
    if (first === H_OF_HTTP) return true;
  }
  return null;
}

/** What `ask` is told first; null when the connection ends before, or the time. */
function within<T>(
  patience: number,
  socket: Socket,
  ask: (socket: Socket, tell: (answer: T | null) => void) => void,
): Promise<T | null> {
  return new Promise(resolve => {
    const tell = (answer: T | null) => {
      clearTimeout(timer);
      resolve(answer);
      socket.destroy();
    };
    const timer = setTimeout(tell, patience, null);
    ask(socket, tell);
    socket.on('error', () => tell(null));
    socket.on('close', () => tell(null));
  });
}
