import { randomInt } from 'node:crypto';
import { FakeHost } from '../checks/host/fake-host.ts';
import { FakeDsm } from '../fakes/dsm/fake.ts';
import { Findhostd } from '../fakes/dsm/findhostd.ts';
import type { FakeDomain } from '../fakes/libvirtd/domain.ts';
import { taps } from '../fakes/libvirtd/xml.ts';

/** What the checks of a bridge (check-subject.ts) go through. */
export interface Setting {
  /** Folder that looks like a host's `/sys` and `/proc`. */
  root: string;
  /** Of this machine, as the neighbour probe is told. */
  networks: readonly { device: string; address: string; netmask: string }[];
  /** UDP port of discovery. */
  findhost: number;
  /** Started as `ping`; null: it is left out. */
  command: string | null;
  /** The bridge probe never answers, and every VM is checked all the time. */
  stuck?: boolean;
}

/**
 * A host with one VM on its bridge, as files, and its DSM at a loopback address of its own. All in the benchmark's
 * process, so that its time is in every wall and in nobody's CPU.
 */
export interface Place extends AsyncDisposable {
  dsm: FakeDsm;
  address: string;
  /** Those that are checked: DSM's 5000, 5001 and 445. */
  ports: readonly number[];
  setting: Omit<Setting, 'findhost' | 'command'>;
  /** The configuration of its checks, YAML: none but on demand, unless other times are given. */
  checks(times?: string): string;
  /** Plugs a VM's tap into the bridge. `answers`: the neighbours' table has it. */
  plug(domain: FakeDomain, options?: { answers?: boolean }): Promise<void>;
  /** Another socket for discovery: who asks listens at its port, so that each needs one of its own. */
  discovery(domain: FakeDomain): Promise<Findhostd>;
}

const known = [5000, 5001, 445];
const onDemand = 'schedule: never, deep_schedule: never';

export async function startPlace(): Promise<Place> {
  const network = `127.${randomInt(1, 255)}.${randomInt(256)}`;
  const address = `${network}.${randomInt(2, 255)}`;
  const host = await FakeHost.make();
  const dsm = await FakeDsm.listen({ address });
  const ports = known.map(port => dsm.port(port));
  await host.device('br0', { bridge: true });
  await host.device('eth0', { hardware: true });
  await host.plug('eth0', 'br0');
  await host.netfilter(false);
  const asked: Findhostd[] = [];
  return {
    ...{ dsm, address, ports },
    setting: { root: host.root, networks: [{ device: 'br0', address: `${network}.1`, netmask: '255.255.255.0' }] },
    checks: (times = onDemand) => `address: ${address}, checks: { ports: [${ports.join(', ')}], ${times} }`,
    async plug(domain, { answers = true } = {}) {
      const { tap, mac } = nicOf(domain);
      await host.device(tap);
      await host.hear('br0', { mac, port: await host.plug(tap, 'br0'), age: 0 });
      await host.arp(...(answers ? [[address, mac] as [string, string]] : []));
    },
    async discovery(domain) {
      const [httpPort = null, httpsPort = null] = ports;
      const findhostd = await Findhostd.listen({ address, mac: nicOf(domain).mac, httpPort, httpsPort });
      asked.push(findhostd);
      return findhostd;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([dsm.close(), host[Symbol.asyncDispose](), ...asked.map(each => each.close())]);
    },
  };
}

function nicOf(domain: FakeDomain): { tap: string; mac: string } {
  const [tap] = taps(domain.xml());
  const [mac] = domain.hardware.macs;
  if (tap === undefined || mac === undefined) throw new Error(`${domain.name} has no NIC`);
  return { tap, mac };
}
