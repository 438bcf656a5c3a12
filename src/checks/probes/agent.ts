import type { VmKey } from '../../model/snapshot.ts';
import { bare, type Findings, type Kind, type Limits } from '../finding.ts';

export interface AgentTarget {
  key: VmKey;
}

/** What libvirt says when it is asked for something that only the guest agent knows. */
export type AskAgent = (key: VmKey, limits: Limits) => Promise<Kind<'agent'>>;

/** Whether the guest agent answers libvirt. */
export async function agent(ask: AskAgent, { key }: AgentTarget, limits: Limits): Promise<Findings['agent']> {
  const began = performance.now();
  const kind = await ask(key, limits);
  const ms = kind === 'ok' ? Math.round(performance.now() - began) : null;
  return { ...bare('agent', kind, sentences[kind]), ms };
}

const sentences: Readonly<Record<Kind<'agent'>, string>> = {
  ok: 'The guest agent answers.',
  silent: 'The guest agent does not answer libvirt.',
  missing: 'The definition has no channel for a guest agent (`org.qemu.guest_agent.0`).',
  not_applicable: 'The guest agent could not be asked: libvirt is away, or does not let it be asked.',
};
