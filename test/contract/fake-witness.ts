import { statsGroup } from '../../src/libvirt/flags.ts';
import type { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { Witness } from './witness.ts';

/** What the fake knows of itself, without a wire between. */
export function fakeWitness(daemon: FakeLibvirtd): Witness {
  const groups = Object.values(statsGroup).reduce((all, bit) => all | bit, 0);
  return {
    names: async () => daemon.domains.map(({ name }) => name),
    identity: async name => {
      const { uuid, id } = daemon.domain(name);
      return { uuid, id };
    },
    state: async name => daemon.domain(name).state,
    info: async name => {
      const { persistent, autostart } = daemon.domain(name);
      return { persistent, autostart };
    },
    xml: async (name, options) => daemon.domain(name).xml(options),
    stats: async name => {
      const domain = daemon.domain(name);
      const params = domain.stats.params(groups, { ...domain.state, active: domain.active, monitor: true });
      return Object.fromEntries(params.map(({ field, value }) => [field, value]));
    },
    blockInfo: async (name, path) => {
      const { hardware, stats } = daemon.domain(name);
      const at = hardware.disks.findIndex(({ target }) => target === path);
      const read = (key: string) => stats.number(`block.${at}.${key}`);
      return { allocation: read('allocation'), capacity: read('capacity'), physical: read('physical') };
    },
    leases: async name => {
      const { active, guest } = daemon.domain(name);
      return active ? guest.addresses.lease : null;
    },
    host: async () => ({
      hostname: 'nas-host',
      libvirt: '9.0.0',
      hypervisor: '7.2.22',
    }),

    start: async name => daemon.domain(name).start(),
    destroy: async name => daemon.domain(name).destroy(),
    define: async xml => void daemon.define(xml),
    undefine: async name => daemon.domain(name).undefine(),
    create: async xml => {
      const domain = daemon.define(xml);
      domain.guest.screens = [];
      domain.start();
      domain.undefine();
    },
  };
}
