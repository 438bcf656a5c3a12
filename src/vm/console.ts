import { setTimeout as delay } from 'node:timers/promises';
import type { Libvirt } from '../libvirt/client.ts';
import { isLibvirtError, type LibvirtError } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import { child, children, type Node, text } from './xml.ts';

/** Where a guest's serial port can be read. */

/** The file that libvirt, or QEMU itself, writes it to; null: none. */
export function serialLog(devices: Node | undefined): string | null {
  const ports = ['serial', 'console'].flatMap(name => children(devices, name));
  const files = ports.flatMap(port => [
    text(child(port, 'log'), '@file'),
    text(port, '@type') === 'file' ? text(child(port, 'source'), '@path') : null,
  ]);
  return files.find(file => file !== null) ?? null;
}

export interface ConsoleOptions {
  /** Opens a connection of its own: the stream would take one of the few places of another. */
  open: (signal: AbortSignal) => Promise<Libvirt>;
  ref: DomainRef;
  hear: (bytes: Buffer) => void;
  /** The connection was lost, or there is none; it is tried again. */
  lost: () => void;
  signal: AbortSignal;
}

/** Milliseconds between two tries. */
const pause = 1_000;
/** Milliseconds: the longest of a timer. The signal comes before. */
const unlimited = 2 ** 31 - 1;

/** Reads a guest's console until the signal, or until it ends. Resolves to why it could not be read, or null. */
export async function readConsole(options: ConsoleOptions): Promise<LibvirtError | null> {
  const { open, ref, hear, lost, signal } = options;
  while (!signal.aborted) {
    try {
      await using client = await open(signal);
      await client.console(ref, hear, { signal, timeout: unlimited });
      return null;
    } catch (error) {
      if (signal.aborted) return null;
      if (isLibvirtError(error)) return error;
      lost();
      await delay(pause, undefined, { signal }).catch(() => {});
    }
  }
  return null;
}
