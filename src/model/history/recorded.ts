import type { Verdict } from '../check.ts';
import type { Event, VmSnapshot } from '../snapshot.ts';
import { type PowerLine, withLines } from './history.ts';

/** Which lines an event adds to the record of a VM. Pure. */

/** Milliseconds: libvirt has reported one reset three times (seen). */
const sameReboot = 1_000;
/** Milliseconds after a reset was asked for in which libvirt may still tell of it. */
const resetPatience = 60_000;

/** The VM with the lines that follow from an event. `live`: libvirt was connected, so its event came at once. */
export function recorded(before: VmSnapshot, after: VmSnapshot, event: Event, live: boolean): VmSnapshot {
  const lines = linesOf(before, after, event, live);
  return lines.length === 0 ? after : { ...after, history: withLines(before.history, lines) };
}

function linesOf(before: VmSnapshot, after: VmSnapshot, event: Event, live: boolean): PowerLine[] {
  switch (event.type) {
    case 'domain':
      return [...stopped(before, after, event.at, live), ...started(before, after, event.at, live)];
    case 'rebooted':
      return rebooted(before, event.at);
    case 'checked': {
      const { wasUp, bootSeconds: seconds } = event.check;
      const awaited = before.history.last?.what === 'start' || before.history.last?.what === 'reboot';
      return wasUp && awaited ? [line(event.at, 'up', { seconds, good: seconds !== null })] : [];
    }
    default:
      return [];
  }
}

function line(at: string, what: PowerLine['what'], more: Partial<PowerLine> = {}): PowerLine {
  return { at, what, by: null, how: null, why: null, seconds: null, seen: true, good: false, ...more };
}

/** Whether it ran: at first the record knows best, because the bridge may have been killed before it stored the VM. */
function ran({ seen, history: { last }, domain, remembered }: VmSnapshot): boolean {
  return !seen && last ? last.what !== 'stop' : (domain ?? remembered)?.active === true;
}

function isSameDomain({ domain, remembered }: VmSnapshot, after: VmSnapshot): boolean {
  const was = domain ?? remembered;
  return was === null || was.uuid === after.domain?.uuid;
}

function stopped(before: VmSnapshot, after: VmSnapshot, at: string, live: boolean): PowerLine[] {
  if (!ran(before) || (after.domain?.active && isSameDomain(before, after))) return [];
  const { lastStop: stop } = after;
  const { last } = before.history;
  const isNew = stop !== before.lastStop;
  // An earlier bridge has stored this stop, and was killed before it wrote the line.
  const stored = !isNew && stop !== null && last !== null && stop.at > last.at;
  if (!stop || !(isNew || stored)) return [line(at, 'stop', { how: after.domain?.reason ?? 'gone', seen: false })];
  const { by, reason: how, seconds } = stop;
  const asked = isNew && before.asked?.by === by ? before.asked : null;
  const duringBoot = last?.what === 'up' && asked !== null && asked.at < last.at;
  const isDsm = !notDsm.has(before.check?.verdict ?? 'unknown') && !duringBoot;
  const good = asked !== null && how === 'shutdown' && seconds !== null && isDsm;
  return [
    line(stop.at, 'stop', { by, how, why: asked?.word ?? null, seconds, seen: stored || (before.seen && live), good }),
  ];
}

/** A guest that is at this shows nothing about how long DSM takes to shut down. */
const notDsm: ReadonlySet<Verdict> = new Set(['booting', 'loader', 'installer', 'recoverable']);

function started(before: VmSnapshot, after: VmSnapshot, at: string, live: boolean): PowerLine[] {
  const { domain } = after;
  const { seen, remembered, history, asked } = before;
  const known = seen || remembered !== null || history.last !== null;
  if (!domain?.active || !known || (ran(before) && isSameDomain(before, after))) return [];
  const { reason: how } = domain;
  if (!seen || !live) return [line(at, 'start', { how, seen: false })];
  return [line(at, 'start', asked?.open ? { how, by: asked.by, why: asked.word } : { how, by: 'host' })];
}

function rebooted({ domain, asked, history: { last } }: VmSnapshot, at: string): PowerLine[] {
  const again = last?.what === 'reboot' && Date.parse(at) - Date.parse(last.at) < sameReboot;
  if (!domain?.active || again) return [];
  const byReset = asked?.word === 'reset' && Date.parse(at) - Date.parse(asked.at) < resetPatience;
  return [line(at, 'reboot', asked?.open || byReset ? { by: asked.by, why: asked.word } : {})];
}
