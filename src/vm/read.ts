import type { CallOptions } from '../libvirt/calls.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { errorCode, unlessRefused } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import { type Domain, type DomainState, isUuid } from '../model/domain.ts';
import type { HypervisorInfo } from '../model/snapshot.ts';
import { parseDomainXml } from './domain-xml.ts';
import { stateWords } from './state.ts';

/** The calls that read a domain; a missing domain is a result, no failure. Failures are those of `Libvirt`'s calls. */

export type State = Pick<Domain, 'active' | 'state' | 'reason'> & { ref: DomainRef };
export type Details = Pick<Domain, 'persistent' | 'autostart' | 'hardware'>;

export async function identify(client: Libvirt): Promise<HypervisorInfo> {
  const [hostname, type, versions] = await Promise.all([client.hostname(), client.type(), client.versions()]);
  return { hostname, libvirt: versions.libvirt, hypervisor: `${type} ${versions.hypervisor}` };
}

/** Look-up and state in one round trip when the domain is still the one we know. Null: libvirt has no such domain. */
export async function readState(
  client: Libvirt,
  domain: string,
  known: DomainRef | null,
  options: CallOptions,
): Promise<State | null> {
  const lookup = isUuid(domain) ? client.domainByUuid(domain, options) : client.domainByName(domain, options);
  const [ref, guess] = await Promise.all([orGone(lookup), known ? orGone(client.state(known, options)) : null]);
  if (!ref) return null;
  const found = guess && ref.uuid === known?.uuid ? guess : await orGone(client.state(ref, options));
  if (!found) return null;
  const words = stateWords(found.state, found.reason);
  return { ref, active: isActive(words.state, ref), ...words };
}

/** It answers when QEMU does, so giving it up would gain nothing. */
const whenever: CallOptions = { timeout: 86_400_000 };

/** Only while it runs, a domain has an ID, and may differ from its stored definition. */
const live = /^\s*<domain\b[^>]*\sid=/;

/** What only the definition contains. Null: libvirt has no such domain. `stored` gets what the next start goes by. */
export async function readDetails(
  client: Libvirt,
  ref: DomainRef,
  parse = parseDomainXml,
  stored?: (xml: string) => void,
): Promise<Details | null> {
  const [xml, persistent, autostart] = await Promise.all([
    orGone(client.xml(ref, whenever)),
    orGone(client.persistent(ref, whenever)),
    // A transient domain has no such flag.
    unlessRefused(client.autostart(ref, whenever), null),
  ]);
  if (xml === null || persistent === null) return null;
  if (persistent && stored) {
    const next = live.test(xml) ? await unlessRefused(client.xml(ref, { inactive: true, ...whenever }), null) : xml;
    if (next !== null) stored(next);
  }
  return { persistent, autostart, hardware: parse(xml) };
}

/** A domain that vanished between two calls is an answer, not a failure. */
function orGone<T>(call: Promise<T>): Promise<T | null> {
  return unlessRefused(call, null, errorCode.noDomain);
}

/** Id and state come from two calls, and the domain may stop in between: the id counts if the state is unclear. */
function isActive(state: DomainState, ref: DomainRef): boolean {
  if (state === 'shut_off') return false;
  return state === 'crashed' || state === 'unknown' ? ref.id !== -1 : true;
}
