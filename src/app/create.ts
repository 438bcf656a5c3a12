import { randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, normalize } from 'node:path';
import type { Config, HostConfig } from '../config/config.ts';
import { leftBehind, planVolumes } from '../definition/create.ts';
import { lookAtDisk, refusalOf } from '../definition/disks.ts';
import { draftXml, stableMac } from '../definition/draft.ts';
import { examine } from '../doctor/examine.ts';
import { type LoaderFacts, readFacts, unknownFacts, unknownLoader } from '../doctor/facts.ts';
import { type Host, lookAtHost } from '../doctor/host.ts';
import { errorCode, unlessRefused } from '../libvirt/errors.ts';
import { isImageError } from '../loader/image/image.ts';
import { openImage } from '../loader/image/open.ts';
import { platformOr } from '../loader/platforms.ts';
import { orNull } from '../util/or-null.ts';
import { type GatherOptions, loaderFacts, otherDomains, recognised } from './host/doctor-facts.ts';
import { isLocal } from './host/libvirt.ts';

/** What `create` would define, and what is in its way. Changes nothing but a journal that is no longer true. */

type Vm = Config['vms'][number];

export interface ProposeOptions extends Pick<GatherOptions, 'client' | 'signal' | 'partition'> {
  config: Pick<HostConfig, 'libvirt'>;
  vm: Vm;
  create: NonNullable<Vm['create']>;
  loader: NonNullable<Vm['loader']>;
  journal: string;
  /** For tests: a folder with this machine's files. */
  root?: string | undefined;
}

export type Proposal = Awaited<ReturnType<typeof propose>>;

const toRemove = 'if nobody needs it, remove it with `virsh vol-delete';
/** What other things mend than what `create` is given. */
const mendedElsewhere: ReadonlySet<string> = new Set(['tcg', 'no_acpid', 'virtio_driver', 'host_shutdown']);

/** Rules that begin with the domain: of the pools `planVolumes` has said whether there is room. */
const notLater = ({ code }: { code: string }) => code !== 'no_autostart' && code !== 'pool_nearly_full';

export async function propose(options: ProposeOptions) {
  const { vm, create, loader, root = '' } = options;
  const { local, host, left, twin, kvm, others, planned, seen, troubles, unread } = await look(options);
  let next = 0;
  const disks = create.disks.map(({ byId }) => byId ?? planned.volumes[next++]?.path ?? '');
  const { deviceTree } = platformOr(loader.model);
  const [uuid, mac] = [randomUUID(), create.mac ?? stableMac(host, vm.domain)];
  const xml = draftXml({ ...create, name: vm.domain, uuid, kvm, mac, disks, deviceTree });
  const read = readFacts(xml);
  if (!read) throw new TypeError('the draft is no definition');
  const settings = { ...loader, image: wayTo(create.image, local) };
  const known = await recognised({ loader: loaderFacts(loader), disks: read.disks }, { ...options, settings });
  const facts = { ...unknownFacts(read), secure: true, loader: toBuild(loader, known), others, host: seen };
  const { findings, unseen } = examine(facts);
  const bad = findings.filter(({ level, code }) => /harm|warning/.test(level) && !mendedElsewhere.has(code));
  const refusals = [
    ...left.map(
      path =>
        `An earlier \`create --define\` was interrupted, and may have made ${path}: ${toRemove} ${path}\`; else remove ${options.journal}.`,
    ),
    ...(twin
      ? [
          `libvirt has a domain ${vm.domain} already, and \`create\` never changes one: \`dsm2mqtt doctor ${vm.key}\` looks at it.`,
        ]
      : []),
    ...planned.refusals,
    ...diskTroubles(create.disks, { others, seen, root }),
    ...(create.disks.some(({ byId }) => byId !== null)
      ? unread.map(name => `Which disks the domain ${name} has cannot be read now: try again when libvirt tells.`)
      : []),
    ...troubles.filter(each => each !== null),
    // The disks have been looked at above.
    ...bad.filter(({ code }) => code !== 'disk_in_use').map(each => `${each.seen} ${each.message} ${each.advice}`),
  ];
  const rest = { findings: findings.filter(each => !bad.includes(each)), unseen: unseen.filter(notLater) };
  return { xml, uuid, mac, local, deviceTree, kind: known.kind, volumes: planned.volumes, refusals, ...rest };
}

async function look(options: ProposeOptions) {
  const { client, config, vm, create, journal, signal, root } = options;
  const call = { signal, timeout: 10_000 };
  const host = await client.hostname(call);
  const local = isLocal(config.libvirt, host);
  const own = create.disks.flatMap(({ byId }) => byId ?? []);
  const wanted = create.disks.flatMap(({ pool, size, name }, nth) =>
    pool === null ? [] : [{ pool, name: name ?? `${vm.key}-${nth + 1}.img`, bytes: size ?? 0 }],
  );
  const unread: string[] = [];
  const seen = local ? await lookAtHost({ uuid: null, disks: own, pci: [], bridges: [create.bridge] }, root) : null;
  const [left, twin, kvm, others, planned, ...troubles] = await Promise.all([
    leftBehind(client, journal, call),
    unlessRefused(client.domainByName(vm.domain, call), null, errorCode.noDomain),
    client.capabilities(call).then(text => text.includes("<domain type='kvm'")),
    otherDomains(client, { uuid: '' }, call, name => unread.push(name)).then(
      all => all?.filter(({ name }) => name !== vm.domain) ?? null,
    ),
    planVolumes(client, wanted, call),
    bridgeTrouble(options, seen),
    imageTrouble(options, local),
  ]);
  return { local, host, left, twin, kvm, others, planned, seen, troubles, unread };
}

/** The image may be in no pool; or be libvirt's, for this user not to read. */
function wayTo(path: string, local: boolean): ProposeOptions['loader']['image'] {
  const readable = local && orNull(() => accessSync(path, constants.R_OK)) !== null;
  return readable ? { way: 'path', path } : { way: 'volume', transientPool: false };
}

/** As the loader will be when it is built: the image may still be for another model. */
function toBuild(settings: ProposeOptions['loader'], { kind }: LoaderFacts): LoaderFacts {
  const { model, dsm, ...rest } = loaderFacts(settings);
  // Its add-ons bring acpid unless somebody has taken it away.
  return kind === 'rr'
    ? { ...unknownLoader, kind, model, dsm, virtio: true, map: rest.map }
    : { ...rest, kind, model, dsm };
}

function diskTroubles(
  wanted: ProposeOptions['create']['disks'],
  { others, seen, root }: Pick<Awaited<ReturnType<typeof look>>, 'others' | 'seen'> & { root: string },
): string[] {
  const places = new Map<string, string>();
  return wanted.flatMap(({ byId, ...rest }) => {
    if (byId === null) return [];
    const look = seen && lookAtDisk(byId, seen.disks.get(byId)?.usedBy ?? null, root);
    const device = look && look !== 'missing' ? look.device : byId;
    const leadsTo = (source: string | null) =>
      seen && source?.startsWith('/dev/') ? orNull(() => realpathSync(root + source).slice(root.length)) : null;
    // Or a partition of it.
    const isIt = (source: string | null) => {
      const there = source === byId ? device : leadsTo(source);
      return there?.startsWith(device) && /^(?:p?\d+)?$/.test(there.slice(device.length));
    };
    const owner = others?.find(({ disks }) => disks.some(({ source }) => isIt(source)));
    const before = places.get(device);
    places.set(device, byId);
    if (owner) return [`The domain ${owner.name} has ${byId} already.`];
    return before ? [`${byId} is the same disk as ${before}.`] : (refusalOf({ byId, ...rest }, look) ?? []);
  });
}

async function bridgeTrouble({ client, create: { bridge }, signal }: ProposeOptions, host: Host | null) {
  const none = `libvirt's machine has no bridge ${bridge}: \`ip link show type bridge\` lists those that are there.`;
  const known = client.mustHaveInterface(bridge, { signal }).then(() => null);
  const answer = await unlessRefused(unlessRefused(known, none, errorCode.noInterface), 'unknown');
  // A libvirt without a driver for interfaces: this machine may know.
  return answer === 'unknown' ? (host?.bridgeDelays.has(bridge) === false ? none : null) : answer;
}

async function imageTrouble({ create, client, signal }: ProposeOptions, local: boolean) {
  if (!isAbsolute(create.image) || normalize(create.image).startsWith('/dev/'))
    return `${create.image} cannot be the loader's image: the absolute path of a file is needed.`;
  try {
    await using _ = await openImage(wayTo(create.image, local), create.image, client, signal);
    return null;
  } catch (error) {
    if (!isImageError(error)) throw error;
    // In no pool: a container may hide its folder from this machine too.
    const hidden = !local || !existsSync(dirname(create.image)) || existsSync(create.image);
    const gone = error.code === 'not_found' || (error.code === 'no_pool' && !hidden);
    return gone ? `There is no loader image ${create.image}: put one of the loader there, as it was downloaded.` : null;
  }
}
