import type { Libvirt } from '../libvirt/client.ts';
import { type CallFailure, callPatience } from '../model/job/job.ts';
import { callFailure } from './power.ts';
import { takeScreenshot } from './screen.ts';
import type { Target } from './watch.ts';

/** Calls that change nothing about whether a VM runs. */

const patience = { timeout: callPatience.change };

const away: CallFailure = { kind: 'rejected', code: 'libvirt_unavailable', message: 'libvirt is away' };

/** PNG. */
export async function screenshot(client: Libvirt | null, target: Target | null): Promise<Buffer | CallFailure> {
  if (!client || !target) return away;
  try {
    return await takeScreenshot(client, target.ref, patience);
  } catch (error) {
    return callFailure(error);
  }
}

/** Whether the domain starts with the host; null: done. */
export async function autostart(
  client: Libvirt | null,
  target: Target | null,
  enabled: boolean,
): Promise<CallFailure | null> {
  if (!client || !target) return away;
  try {
    await client.setAutostart(target.ref, enabled, patience);
    return null;
  } catch (error) {
    return callFailure(error);
  }
}
