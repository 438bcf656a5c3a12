import type { DsmIdentity } from '../../model/check.ts';

/**
 * The words of Synology's discovery (findhostd): a datagram is eight bytes of magic, then fields of
 * `[id u8][length u8][value]`. Numbers are little-endian, addresses in network order, strings have no NUL. Synology
 * documents nothing of it; this goes by captures of a DS918+ (DSM 7.4.1) and a DS1522+ (DSM 7.2), and by the names in
 * https://github.com/ychiu1211/dsmctl, internal/synology/findhost/codec.go. A device says more than is read here: its
 * serial number (0x73, 0xc0) is passed over like everything unknown.
 */

/** One device's answer. */
export interface Packet {
  /** One of `packetType`'s answers. */
  type: number;
  /** Field 0xa7, the progress of boot or setup; see states.ts. */
  state: number | null;
  /** The MAC of the answering network card: lower case with colons, as libvirt writes it. */
  mac: string | null;
  identity: DsmIdentity;
}

/** The type of a datagram; `junior` is the installer's, and V2 is another version of both. */
export const packetType = {
  query: 1,
  response: 2,
  junior: 6,
  recover: 16,
  queryV2: 19,
  responseV2: 20,
  juniorV2: 21,
} as const;

/** The encrypted variant has other bytes three and four; devices answer it only with a key. */
const magic = Buffer.from('\x12\x34\x56\x78SYNO', 'latin1');
const id = {
  type: 0x01,
  name: 0x11,
  address: 0x12,
  mac: 0x19,
  build: 0x49,
  httpPort: 0x75,
  httpsPort: 0x76,
  version: 0x77,
  model: 0x78,
  update: 0x90,
  protocol: 0xa4,
  state: 0xa7,
} as const;
/** 1.2.0.0; queries without it are not answered. */
const protocol = 0x01_02_00_00;
const { query, queryV2, ...answerTypes } = packetType;
const answers: ReadonlySet<number> = new Set(Object.values(answerTypes));
/** Bytes; real answers have some 300. */
const longestPacket = 2_048;
/** Characters. */
const longestText = 64;

/** The shortest query that every DSM answers, 20 bytes. */
export function encodeQuery(): Buffer {
  return Buffer.concat([magic, numberField(id.protocol, protocol), numberField(id.type, query)]);
}

/**
 * Null: not a device's answer, which includes queries, the encrypted variant, and anything that is not whole fields.
 * Never throws. A missing or senseless field is null; if a field comes twice, the last one counts.
 */
export function parsePacket(bytes: Buffer): Packet | null {
  if (bytes.length > longestPacket || !bytes.subarray(0, magic.length).equals(magic)) return null;
  const fields = readFields(bytes.subarray(magic.length));
  if (!fields) return null;
  const field = <T>(name: keyof typeof id, read: (value: Buffer) => T | null): T | null => {
    const value = fields.get(id[name]);
    return value ? read(value) : null;
  };
  const type = field('type', number);
  if (type === null || !answers.has(type)) return null;
  return {
    type,
    state: field('state', number),
    mac: field('mac', mac),
    identity: {
      name: field('name', text),
      model: field('model', text),
      version: version(field('version', text), field('build', number)),
      update: field('update', number),
      address: field('address', address),
      httpPort: field('httpPort', port),
      httpsPort: field('httpsPort', port),
    },
  };
}

/** By id; null if the last field is cut off. Empty fields are common. */
function readFields(bytes: Buffer): Map<number, Buffer> | null {
  const fields = new Map<number, Buffer>();
  let at = 0;
  while (at < bytes.length) {
    const end = at + 2 + (bytes[at + 1] ?? bytes.length);
    if (end > bytes.length) return null;
    fields.set(bytes.readUInt8(at), bytes.subarray(at + 2, end));
    at = end;
  }
  return fields;
}

function numberField(id: number, value: number): Buffer {
  const field = Buffer.from([id, 4, 0, 0, 0, 0]);
  field.writeUInt32LE(value, 2);
  return field;
}

/** All known answers have four bytes; fewer mean the same. */
function number(value: Buffer): number | null {
  return value.length >= 1 && value.length <= 4 ? value.readUIntLE(0, value.length) : null;
}

function port(value: Buffer): number | null {
  const port = number(value);
  return port !== null && port >= 1 && port <= 65_535 ? port : null;
}

/** A device without one says 0.0.0.0. */
function address(value: Buffer): string | null {
  return value.length === 4 && value.some(byte => byte !== 0) ? value.join('.') : null;
}

/** Anything can come from the network: characters that cannot be printed on one line are left out. */
function text(value: Buffer): string | null {
  const printable = value.toString('utf8').replaceAll(/[\p{C}\p{Zl}\p{Zp}\uFFFD]/gu, '');
  return [...printable].slice(0, longestText).join('').trim() || null;
}

function mac(value: Buffer): string | null {
  const mac = text(value)?.toLowerCase().replaceAll('-', ':') ?? '';
  return /^[\da-f]{2}(:[\da-f]{2}){5}$/.test(mac) && mac !== '00:00:00:00:00:00' ? mac : null;
}

function version(release: string | null, build: number | null): string | null {
  return release && build ? `${release}-${build}` : release;
}
