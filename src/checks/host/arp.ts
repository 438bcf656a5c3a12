import { readBytes } from './files.ts';

/** The kernel's IPv4 neighbours, as `/proc/net/arp` has them (proc_net(5)). */

/**
 * A machine has answered for the address. The kernel keeps this entry for up to a minute after the machine is gone (36
 * s seen): it asks again only when the last answer is half a minute old and there is something to send, and gives up
 * eight seconds later.
 */
export interface Neighbour {
  address: string;
  /** Lower case. */
  mac: string;
}

/** `ATF_COM` of linux/if_arp.h. */
const complete = 0x2;

/** None where the table cannot be read. */
export function readArp(root: string): Neighbour[] {
  return parseArp(readBytes(`${root}/proc/net/arp`)?.toString('latin1') ?? '');
}

/** Address, hardware type, flags, MAC, mask, device; skips the header and every line that is no entry. */
export function parseArp(text: string): Neighbour[] {
  const entries = text.matchAll(
    /^([\d.]+) +0x[0-9a-f]+ +(0x[0-9a-f]{1,8}) +([0-9a-f]{2}(?::[0-9a-f]{2}){5}) +\S+ +\S+$/gim,
  );
  return Array.from(entries)
    .filter(([, , flags]) => (Number(flags) & complete) !== 0)
    .map(([, address = '', , mac = '']) => ({ address, mac: mac.toLowerCase() }));
}

/** Which of the candidates and MACs answer. */
export interface Answers {
  /** The first of the candidates at which one of the MACs answers. */
  here: string | null;
  /** Another address at which one of the MACs answers. */
  elsewhere: string | null;
  /** A candidate that belongs to another machine. */
  taken: Neighbour | null;
  /** Every candidate is answered for. */
  all: boolean;
}

export function answersIn(
  table: readonly Neighbour[],
  macs: readonly string[],
  candidates: readonly string[],
): Answers {
  const mine = table.filter(({ mac }) => macs.includes(mac)).map(({ address }) => address);
  const asked = table.filter(({ address }) => candidates.includes(address));
  return {
    here: candidates.find(address => mine.includes(address)) ?? null,
    elsewhere: mine.find(address => !candidates.includes(address)) ?? null,
    taken: asked.find(({ mac }) => !macs.includes(mac)) ?? null,
    all: candidates.every(candidate => asked.some(({ address }) => address === candidate)),
  };
}
