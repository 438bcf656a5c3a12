import { ProtocolError } from './errors.ts';
import {
  array,
  bool,
  type Codec,
  type Decoder,
  double,
  fixedOpaque,
  hyper,
  int,
  mapped,
  optional,
  recurring,
  string,
  struct,
  uhyper,
  uint,
  type Value,
  type XdrReader,
} from './xdr.ts';

/** The structs that several procedures share, with the bounds of libvirt's remote_protocol.x. */

export const maxString = 4 * 1024 * 1024;
export const maxDomains = 16_384;
/** Of one key press. */
export const maxKeys = 16;
const maxStatsParams = 262_144;
const maxInterfaces = 2_048;
const maxAddresses = 2_048;

export const text = string(maxString);
export const optionalText = optional(text);

/** 16 raw bytes on the wire, `xxxxxxxx-xxxx-…` here. */
export const uuid: Codec<string> = recurring(mapped(fixedOpaque(16), formatUuid, parseUuid), 16);

/**
 * How the wire names a domain. libvirt looks it up by uuid alone; name and id end up in its messages and access
 * rules, so real ones are sent. `id` is -1 while the domain is inactive.
 */
export const domainRef = struct({ name: text, uuid, id: int });
export type DomainRef = Value<typeof domainRef>;

export const poolRef = struct({ name: text, uuid });
export type PoolRef = Value<typeof poolRef>;

/** How the wire names a volume; `key` is the path for those that are files. */
export const volumeRef = struct({ pool: text, name: text, key: text });
export type VolumeRef = Value<typeof volumeRef>;

/** A network interface of libvirt's machine. */
export const interfaceRef = struct({ name: text, mac: text });

const networkRef = struct({ name: text, uuid });

/** `virNetMessageError`. `str1` is the message's format string, so only the code can be relied on. */
export const remoteError = struct({
  code: int,
  domain: int,
  message: optionalText,
  level: int,
  subject: optional(domainRef),
  str1: optionalText,
  str2: optionalText,
  str3: optionalText,
  int1: int,
  int2: int,
  network: optional(networkRef),
});

/** `virTypedParameterType` to the arm of the union. */
const paramArms: Record<number, Codec<unknown>> = {
  1: int,
  2: uint,
  3: hyper,
  4: uhyper,
  5: double,
  6: bool,
  7: text,
};

export interface TypedParam {
  field: string;
  type: number;
  value: number | boolean | string;
}

/** The same few hundred names are in every record. */
const fieldName = recurring(text, null);

const typedParam: Codec<TypedParam> = {
  encode: (writer, { field, type, value }) => {
    fieldName.encode(writer, field);
    int.encode(writer, type);
    arm(type).encode(writer, value);
  },
  decode: reader => {
    const field = fieldName.decode(reader);
    const type = int.decode(reader);
    return { field, type, value: arm(type).decode(reader) as TypedParam['value'] };
  },
};

/** One domain's part of a bulk statistics reply. Which keys there are varies by version and by state. */
export const statsRecord = struct({ domain: domainRef, params: array(typedParam, maxStatsParams) });

export interface Picker<T> {
  take(field: string, value: TypedParam['value']): void;
  done(): T;
}

/** Statistics records with what the pickers make of their parameters: no parameter has an object of its own. */
export function pickedRecords<T>(begin: () => Picker<T>): Decoder<{ records: { domain: DomainRef; params: T }[] }> {
  const record = (reader: XdrReader) => {
    const domain = domainRef.decode(reader);
    const picker = begin();
    for (let left = reader.length(maxStatsParams); left > 0; left--) {
      const field = fieldName.decode(reader);
      const type = int.decode(reader);
      // Most are 64 bits without a sign.
      const value = type === 4 ? uhyper.decode(reader) : (arm(type).decode(reader) as TypedParam['value']);
      picker.take(field, value);
    }
    return { domain, params: picker.done() };
  };
  return {
    decode: reader => {
      const records: ReturnType<typeof record>[] = [];
      for (let left = reader.length(maxDomains); left > 0; left--) records.push(record(reader));
      return { records };
    },
  };
}

/** A network interface as the guest or a DHCP server knows it. */
const guestInterface = struct({
  /** From an agent: the guest's own name (`eth0`); from a lease: the host's tap. */
  name: text,
  mac: optionalText,
  /** `type` is `virIPAddrType`: 0 IPv4, 1 IPv6. */
  addresses: array(struct({ type: int, address: text, prefix: uint }), maxAddresses),
});
export type GuestInterface = Value<typeof guestInterface>;
export const guestInterfaces = array(guestInterface, maxInterfaces);

function arm(type: number): Codec<unknown> {
  const codec = paramArms[type];
  if (!codec) throw new ProtocolError(`unknown typed parameter type ${type}`);
  return codec;
}

function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function parseUuid(value: string): Buffer {
  const hex = value.replaceAll('-', '');
  if (!/^[0-9a-fA-F]{32}$/.test(hex)) throw new RangeError(`'${value}' is not a UUID`);
  return Buffer.from(hex, 'hex');
}
