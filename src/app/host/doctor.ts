import type { HostConfig } from '../../config/config.ts';
import { examine } from '../../doctor/examine.ts';
import { readFacts, unknownFacts } from '../../doctor/facts.ts';
import type { KnownDisks } from '../../doctor/host.ts';
import type { Event, VmKey } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import { entryOf } from '../../util/entry-of.ts';
import type { Store } from '../../util/store.ts';
import { hostOf, loaderFacts } from './doctor-facts.ts';
import { isLocal } from './libvirt.ts';

/** Looks at each definition that is new or has changed for what is certain harm, as far as the bridge sees it. */
export function createDoctor(
  { libvirt, vms }: HostConfig,
  state: State,
  { file, was }: { file: Pick<Store<KnownDisks>, 'save'>; was: KnownDisks },
  lookAt = hostOf,
) {
  const up = Promise.withResolvers<void>();
  /** The newest look at each, with what its disks are. */
  const looks = new Map<VmKey, { disks: KnownDisks[string] }>();
  let known = was;

  const look = async (key: VmKey, xml: string): Promise<void> => {
    const own = { disks: {} };
    looks.set(key, own);
    // Until then the host of libvirt is not known.
    await up.promise;
    const read = readFacts(xml);
    if (!read) return;
    const lastDisks = entryOf(known, key) ?? null;
    const vm = vms.find(each => each.key === key);
    const facts = { ...unknownFacts(read), loader: loaderFacts(vm?.loader ?? null), lastDisks };
    const local = isLocal(libvirt, state.snapshot.hypervisor.info?.hostname ?? null);
    const host = local ? await lookAt(facts) : null;
    if (looks.get(key) !== own) return;
    for (const [path, { identity }] of host?.disks ?? []) if (identity) Object.assign(own.disks, { [path]: identity });
    const harm = examine({ ...facts, host }, vm?.guest).findings.filter(({ level }) => level === 'harm');
    state.dispatch({ type: 'examined', key, harm });
  };

  /** DSM is up with these disks: they are the right ones. */
  const remember = (key: VmKey) => {
    const disks = looks.get(key)?.disks ?? {};
    const entries = Object.entries(disks);
    const before = entryOf(known, key);
    if (entries.length === 0 || entries.every(([path, identity]) => before?.[path] === identity)) return;
    known = { ...known, [key]: disks };
    file.save(known);
  };

  return {
    look: (key: VmKey, xml: string) => void look(key, xml),
    hear: (event: Event): void => {
      if (event.type === 'hypervisor_up') up.resolve();
      if (event.type === 'checked' && event.check.verdict === 'up') remember(event.key);
    },
  };
}
