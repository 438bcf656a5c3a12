import type { DsmIdentity } from '../../model/check.ts';
import type { Nic } from '../../model/domain.ts';
import type { VmKey } from '../../model/snapshot.ts';

/** One VM as a check comes to it: what is known of it beforehand. */
export interface Subject {
  key: VmKey;
  nics: readonly Nic[];
  /** libvirt's host is this machine. */
  local: boolean;
  /** `vms[].address`, a name or an address; null: to be found. */
  configured: string | null;
  /** Where it was last; null: never seen. */
  lastAddress: string | null;
  ports: readonly number[];
  identity: DsmIdentity | null;
  /** It has answered Synology's discovery before. */
  discovered: boolean;
  /** Where nothing else helps, the whole network of its bridge may be asked for its MAC. */
  sweep: boolean;
}
