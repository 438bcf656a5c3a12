import type { Kind } from '../finding.ts';
import { type Packet, packetType } from './packet.ts';

/**
 * What an answer says about the device. Its state says more than the packet's type, so it counts first; without a
 * state, the type does: DSM itself, its installer, or its recovery sent the packet. Names and numbers are those of
 * https://github.com/ychiu1211/dsmctl, internal/synology/findhost/codec.go; captures of running devices show 1 only.
 */

interface Meaning {
  kind: Kind<'discovery'>;
  /** Completes "It says that …". */
  words: string;
}

const ready: Meaning = { kind: 'ready', words: 'it is ready' };
const waiting: Meaning = { kind: 'installer', words: 'no DSM is installed' };

/** By 0xa7; null: the packet's type tells. */
const byState: readonly (Meaning | null)[] = [
  /* 0: its quick setup was never done, nor need it be */ null,
  /* 1: all is done */ null,
  /* 2 */ waiting,
  /* 3 */ { kind: 'updating', words: 'it is being updated' },
  /* 4: sys_crash */ { kind: 'recoverable', words: 'its system is damaged and needs to be repaired' },
  /* 5 */ { kind: 'booting', words: 'it is still booting' },
  /* 6 */ { kind: 'starting', words: 'it is still checking its quotas' },
  /* 7 */ { kind: 'starting', words: 'it is still starting its services' },
  /* 8 */ { kind: 'starting', words: 'it is still setting up its network' },
  // A memory test runs in place of DSM, before it: nothing is broken, and the boot comes after.
  /* 9 */ { kind: 'booting', words: 'it is testing its memory before it boots' },
  // As with 8: DSM runs, and is not done.
  /* 10 */ { kind: 'starting', words: 'it is still testing its network' },
  /* 11 */ { kind: 'recoverable', words: 'its system needs to be recovered' },
  /* 12: offline, which who answers is not */ null,
  /* 13 */ { kind: 'updating', words: 'DSM is being installed' },
  /* 14 */ { kind: 'migratable', words: 'its disks come from another NAS' },
];

const byType: Readonly<Record<number, Meaning>> = {
  [packetType.response]: ready,
  [packetType.responseV2]: ready,
  [packetType.junior]: waiting,
  [packetType.juniorV2]: waiting,
  [packetType.recover]: { kind: 'recoverable', words: 'its system needs to be recovered' },
};

/** An unknown state says nothing either. */
export function meaningOf({ state, type }: Packet): Meaning {
  return (state === null ? null : byState[state]) ?? byType[type] ?? ready;
}
