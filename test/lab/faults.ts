import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { address, virsh } from './lab.ts';

/** What can be wrong between the host and a guest that is well. Each is undone by hand or with its scope. */

export interface Fault extends AsyncDisposable {
  /** Idempotent. */
  undo(): Promise<void>;
}

const run = promisify(execFile);

/** libvirt pulls the plug of the NIC; the tap stays. */
export async function linkDown(): Promise<Fault> {
  await virsh('domif-setlink', address.domain, address.mac, 'down');
  return fault(() => virsh('domif-setlink', address.domain, address.mac, 'up'));
}

/** The tap is a port of another bridge, which is up and leads nowhere. */
export async function wrongBridge(name = 'br1'): Promise<Fault> {
  const device = await tap();
  await ip('link', 'add', name, 'type', 'bridge');
  await ip('link', 'set', name, 'up');
  await ip('link', 'set', device, 'master', name);
  return fault(async () => {
    await ip('link', 'set', device, 'master', address.bridge);
    await ip('link', 'delete', name);
  });
}

/** The host has set the tap down. */
export async function tapDown(): Promise<Fault> {
  const device = await tap();
  await ip('link', 'set', device, 'down');
  return fault(() => ip('link', 'set', device, 'up'));
}

/** The host has set the bridge down. */
export async function bridgeDown(): Promise<Fault> {
  await ip('link', 'set', address.bridge, 'down');
  return fault(() => ip('link', 'set', address.bridge, 'up'));
}

/** The host's end of the guest's NIC: `vnet0`. */
export async function tap(): Promise<string> {
  const [device] = /\bvnet\d+\b/.exec(await virsh('domiflist', address.domain)) ?? [];
  if (device === undefined) throw new Error('the domain has no tap: it is off');
  return device;
}

async function ip(...args: string[]): Promise<void> {
  await run('ip', args);
}

function fault(mend: () => Promise<unknown>): Fault {
  let mended: Promise<unknown> | null = null;
  const undo = async () => {
    mended ??= mend();
    await mended;
  };
  return { undo, [Symbol.asyncDispose]: undo };
}
