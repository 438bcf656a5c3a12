import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import type { Boot } from '../../src/loader/image/boot-entry.ts';
import { tcrp } from '../../src/loader/kinds/tcrp/index.ts';
import { type Inspection, type InspectOptions, inspect } from '../../src/loader/plan/inspect.ts';
import type { World } from '../../src/loader/plan/world.ts';
import { unknownDsm, type Verdict } from '../../src/model/check.ts';
import type { LoaderSettings } from '../../src/model/loader-settings.ts';
import type { VmSnapshot } from '../../src/model/snapshot.ts';
import { silent } from '../../src/util/logger.ts';
import { Watch } from '../../src/vm/watch.ts';
import { FakeLibvirtd, type ListenOptions } from '../fakes/libvirtd/daemon.ts';
import type { FakeDomain } from '../fakes/libvirtd/domain.ts';
import { builder, sata, usb } from './image/grub-files.ts';
import { megabyte, soon, sparse, temporary } from './image/images.ts';
import { homeOf } from './kinds/tcrp/releases.ts';

/** The seed's VM with its loader, as a rebuild finds it: a fake libvirtd, a small image, servers that answer. */

const seed = readFileSync(new URL('../fixtures/seed.xml', import.meta.url), 'utf8');
const repository = 'https://github.com/pocopico/redpill-load/raw/develop';

/** As the seed's author has it. */
export const settings: LoaderSettings = {
  ...{
    kind: 'tcrp',
    upgradeZip: null,
    addons: [],
    model: 'DS918+',
    platform: 'ds918p-7.1.1-42962',
    upgrade: 'full',
    keepIdentity: true,
  },
  extensions: [`${repository}/redpill-virtio/rpext-index.json`, `${repository}/redpill-acpid/rpext-index.json`],
  ...{ sataMap: 'auto', image: { way: 'volume', transientPool: true }, onFailure: 'ask' },
  ssh: { host: null, port: 22, user: null, password: 'hush-hush', privateKey: null, hostKey: null },
  ...{ backupDir: '/nowhere', keepBackups: 5 },
};

/** What the menu of the image is, for who has no mtools. */
export const boot: Boot = { entries: [usb, sata, builder], next: usb };

export const index = (...releases: string[]) =>
  JSON.stringify({ id: 'x', releases: Object.fromEntries(releases.map(key => [key, 'https://example.org/r.json'])) });

/** What is saved of the builder's home. */
export const home = (tag: string, config = JSON.stringify({ general: {}, extra_cmdline: { sn: 'S', mac1: 'M' } })) =>
  new Map([...homeOf(tag), ['user_config.json', Buffer.from(config)]]);

/** All is well with everything that is out there. */
export const world = {
  fetch: async () => new Response(index('ds918p_42962', 'ds918p_42661')),
  reach: async () => 'yes' as const,
  cpuinfo: async () => 'processor\t: 0\nflags\t\t: fpu sse2 movbe x2apic\n',
  menu: async () => ({ boot, files: new Map() }),
  home: async () => home('0.9.2.9'),
} satisfies Partial<World>;

export interface RebuildWorld extends AsyncDisposable {
  folder: string;
  daemon: FakeLibvirtd;
  domain: FakeDomain;
  client: Libvirt;
  /** Of the loader. */
  image: string;
  backups: string;
  settings: LoaderSettings;
  /** With these changes to the options. */
  inspect(changes?: InspectChanges): Promise<Inspection>;
}

export type InspectChanges = Partial<World & Pick<InspectOptions, 'local' | 'signal'>> & {
  settings?: Partial<LoaderSettings>;
  verdict?: Verdict;
  dsm?: { model: string; version: string };
};

/** `change`: of the domain's XML. */
export async function rebuildWorld(
  change: (xml: string) => string = xml => xml,
  libvirtd: ListenOptions = {},
): Promise<RebuildWorld> {
  const { folder, ...place } = await temporary();
  const image = join(folder, 'images', 'loader.img');
  const backups = join(folder, 'data', 'loader-backups');
  for (const made of ['images', 'data']) await mkdir(join(folder, made));
  await sparse(image, 4 * megabyte, [[0, Buffer.alloc(megabyte, 1)]]);
  const daemon = await FakeLibvirtd.listen(libvirtd);
  const xml = change(seed.replace(" id='2'", '').replace('/image/tinycore-redpill-uefi.v0.9.2.8.img', image));
  const domain = daemon.define(xml);
  const client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial });
  const own = { ...settings, backupDir: backups };
  return {
    ...{ folder, daemon, domain, client, image, backups, settings: own },
    inspect: async ({ settings: changed, verdict, dsm, local = true, signal = soon(), ...other } = {}) => {
      const { ref, vm } = await look(client, domain.name);
      const check = verdict || dsm ? { verdict: verdict ?? 'unknown', dsm: { ...unknownDsm, ...dsm } } : null;
      return inspect({
        ...{ settings: { ...own, ...changed }, adapters: () => tcrp, vm: { ...vm, check }, client, ref },
        ...{ scratch: join(folder, 'data', 'scratch'), local, onTimeout: 'report', signal },
        world: { ...world, ...other },
      });
    },
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await daemon.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

async function look(
  client: Libvirt,
  domain: string,
): Promise<{ ref: InspectOptions['ref']; vm: Pick<VmSnapshot, 'domain'> }> {
  const watch = new Watch({ vms: [{ key: 'DSM', domain }], emit: () => {}, logger: silent });
  await watch.begin(client);
  const target = watch.target('DSM');
  if (!target) throw new Error(`no domain ${domain}`);
  return { ref: target.ref, vm: { domain: target.domain } };
}
