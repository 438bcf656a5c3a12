import type { VmKey, VmSnapshot } from '../snapshot.ts';
import { type Notification, type NotificationType, notifications } from './notification.ts';

/** What people are told over HTTP: what is on `B/V/event`, for which VM, and in words. Pure. */

/** What somebody should look at, and that it is over. */
export const usualNotices = [
  ...(['problem', 'solved', 'crashed', 'power_cut', 'paused_on_io_error'] as const),
  ...(['shutdown_timed_out', 'command_failed', 'interrupted'] as const),
] satisfies readonly NotificationType[];

const urgent: ReadonlySet<NotificationType> = new Set(usualNotices.filter(type => type !== 'solved'));

/** The JSON that is posted. */
export interface Notice extends Notification {
  instance: string;
  vm: VmKey;
  /** For people: the VM's name, and what happened in a sentence. */
  title: string;
  text: string;
  urgent: boolean;
}

export function noticeOf(said: Notification, instance: string, vm: Pick<VmSnapshot, 'key' | 'label'>): Notice {
  const { event_type, command, reason, message } = said;
  const more = message || reason;
  const what = `${command ? `${command}: ` : ''}${notifications[event_type]}${more ? `: ${more}` : ''}`;
  const text = `${what[0]?.toUpperCase()}${what.slice(1)}`;
  return { ...said, instance, vm: vm.key, title: vm.label, text, urgent: urgent.has(event_type) };
}
