import type { Check } from './check.ts';
import { type Notification, notifications, notificationTypes } from './notification.ts';
import type { VmKey, VmSnapshot } from './snapshot.ts';

/** What people are told over HTTP: what is on `B/V/event`, and problems. Pure. */

const ofChecks = { problem: 'it is not as it is meant to be', solved: 'it is as it is meant to be again' } as const;
const words = { ...notifications, ...ofChecks };
export type NoticeType = keyof typeof words;
export const noticeTypes = ['problem', 'solved', ...notificationTypes] as const satisfies readonly NoticeType[];

/** What somebody should look at, and that it is over. */
export const usualNotices = [
  ...(['problem', 'solved', 'crashed', 'power_cut', 'paused_on_io_error'] as const),
  ...(['shutdown_timed_out', 'command_failed', 'interrupted'] as const),
] satisfies readonly NoticeType[];

const urgent: ReadonlySet<NoticeType> = new Set(usualNotices.filter(type => type !== 'solved'));

/** The JSON that is posted. */
export interface Notice extends Omit<Notification, 'event_type'> {
  event_type: NoticeType;
  instance: string;
  vm: VmKey;
  /** For people: the VM's name, and what happened in a sentence. */
  title: string;
  text: string;
  urgent: boolean;
}

export type Said = Omit<Notification, 'event_type'> & { event_type: NoticeType };

export function noticeOf(said: Said, instance: string, { key, label }: Pick<VmSnapshot, 'key' | 'label'>): Notice {
  const { event_type, command, reason, message } = said;
  const more = message || reason;
  const what = `${command ? `${command}: ` : ''}${words[event_type]}${more ? `: ${more}` : ''}`;
  const text = `${what[0]?.toUpperCase()}${what.slice(1)}`;
  return { ...said, instance, vm: key, title: label, text, urgent: urgent.has(event_type) };
}

/** A problem has begun, or is over. */
export function problemNotice({ problem, verdict, cause, reason, nextStep }: Check, at: string): Said {
  const message = [reason, nextStep].filter(Boolean).join(' ');
  return { event_type: problem ? 'problem' : 'solved', at, verdict, cause, message };
}
