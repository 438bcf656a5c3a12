import type { GuestInterface } from '../../src/libvirt/structs.ts';

/**
 * Somebody else who knows the daemon: virsh beside a real one, the fake itself. Says what our client ought to say,
 * in the client's own shapes, and acts behind its back.
 */
export interface Witness {
  names(): Promise<string[]>;
  identity(name: string): Promise<{ uuid: string; id: number }>;
  state(name: string): Promise<{ state: number; reason: number }>;
  info(name: string): Promise<Info>;
  xml(name: string, options?: { inactive?: boolean }): Promise<string>;
  /** Of the groups that the client can ask for, under libvirt's keys. */
  stats(name: string): Promise<Record<string, number | boolean | string>>;
  blockInfo(name: string, path: string): Promise<{ allocation: number; capacity: number; physical: number }>;
  /** By libvirt's networks; null: refused. */
  leases(name: string): Promise<GuestInterface[] | null>;
  host(): Promise<Host>;

  start(name: string): Promise<void>;
  destroy(name: string): Promise<void>;
  define(xml: string): Promise<void>;
  undefine(name: string): Promise<void>;
  /** Starts one without a definition, which is gone when it stops. */
  create(xml: string): Promise<void>;
}

interface Info {
  persistent: boolean;
  autostart: boolean;
}

interface Host {
  hostname: string;
  libvirt: string;
  hypervisor: string;
}
