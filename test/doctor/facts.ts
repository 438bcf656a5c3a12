import { type Facts, type LoaderFacts, readFacts, unknownFacts, unknownLoader } from '../../src/doctor/facts.ts';
import type { Host, HostDisk } from '../../src/doctor/host.ts';

/** Facts as the rules get them: of a definition, with what a test adds. */

export type More = Omit<Partial<Facts>, 'loader' | 'host'> & {
  loader?: Partial<LoaderFacts>;
  host?: Partial<Host> | null;
};

export function factsOf(xml: string, { loader, host, ...more }: More = {}): Facts {
  const read = readFacts(xml);
  if (!read) throw new TypeError(`no definition: ${xml}`);
  return {
    ...unknownFacts(read),
    ...{ secure: true, active: true, autostart: true, others: [], rooms: [], ...more },
    loader: { ...unknownLoader, ...loader },
    host: host === null ? null : { ...knownHost, ...host },
  };
}

const knownHost: Host = {
  cpuinfo: 'flags\t\t: fpu movbe\n',
  ...{ disks: new Map(), classes: new Map(), bridgeDelays: new Map(), stoppers: [], graphicsGuarded: false },
};

export const hostDisk = (path: string, more: Partial<HostDisk>) => ({
  host: { disks: new Map([[path, { usedBy: null, byId: null, identity: null, ...more }]]) },
});

/** The seed's loader, as its author built it. */
export const seedLoader: LoaderFacts = {
  ...{ kind: 'tcrp', model: 'DS918+', dsm: '7.1.1', acpid: true, virtio: true },
  map: { SataPortMap: '12', DiskIdxMap: '1000' },
};
