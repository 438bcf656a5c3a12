import { endianness } from 'node:os';

/** Pure: a Linux bridge's forwarding table as `brforward` has it (`struct __fdb_entry` of linux/if_bridge.h). */

export interface Learnt {
  /** Lower case, with colons. */
  mac: string;
  /** The port's number, as in its `brport/port_no`. */
  port: number;
  /** The host's own MAC, which was never heard. */
  local: boolean;
  /** Milliseconds since it was last heard. */
  age: number;
}

const entryBytes = 16;
/** 16 384 machines; of a larger table the rest is not read. */
export const maxForwardingBytes = entryBytes * 16_384;
/** The kernel tells times in hundredths of a second, whatever its own clock (`USER_HZ`). */
const tick = 10;

/** MAC of 6 bytes, port, is_local, a 32-bit age in the machine's byte order, the port's upper byte, 3 unused. */
export function parseForwarding(table: Buffer, order: 'LE' | 'BE' = endianness()): Learnt[] {
  return Array.from({ length: Math.floor(table.length / entryBytes) }, (_, i) => {
    const entry = table.subarray(i * entryBytes, (i + 1) * entryBytes);
    const age = order === 'LE' ? entry.readUInt32LE(8) : entry.readUInt32BE(8);
    return {
      mac: [...entry.subarray(0, 6)].map(byte => byte.toString(16).padStart(2, '0')).join(':'),
      port: entry.readUInt8(12) * 256 + entry.readUInt8(6),
      local: entry.readUInt8(7) !== 0,
      age: age * tick,
    };
  });
}
