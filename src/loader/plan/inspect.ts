import type { Libvirt } from '../../libvirt/client.ts';
import type { DomainRef } from '../../libvirt/structs.ts';
import type { Check } from '../../model/check.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import type { LoaderAdapter, LoaderFacts, Step } from '../adapter.ts';
import type { Boot, readBoot } from '../image/boot-entry.ts';
import type { readHome } from '../image/home.ts';
import { fetchedAlways, newestRelease, readRelease } from '../kinds/tcrp/release.ts';
import { type PlatformId, parsePlatformId } from '../platforms.ts';
import { type MapChoice, mapOf } from '../sata-map.ts';
import { inspectFolder } from './backup-folder.ts';
import { cpuFlags, type Definition, readDefinition } from './definition.ts';
import { type Fetch, lookUp } from './extensions.ts';
import type { Finding, ImageFacts, Known, PreflightFacts } from './finding.ts';
import { type ImageInspection, inspectImage } from './image.ts';
import { otherLoader } from './other-loader.ts';
import { type ReadClass, withClasses } from './pci-class.ts';
import { preflight } from './preflight.ts';
import { type Reach, sourcesReachable } from './sources.ts';

/** All that is looked at before a rebuild. Nothing is changed, and nothing is waited for without end. */

export interface InspectOptions {
  settings: LoaderSettings;
  adapter: LoaderAdapter;
  vm: Pick<VmSnapshot, 'domain'> & { check: Pick<Check, 'verdict' | 'dsm'> | null };
  client: Libvirt;
  ref: DomainRef;
  /** A folder for temporary files, some 100 MB. Made if it is not there. */
  scratch: string;
  /** libvirt's machine is this one. */
  local: boolean;
  /** What becomes of a guest that does not power off. */
  onTimeout: 'report' | 'force_off';
  signal: AbortSignal;
  /** For tests: others than the real ones. */
  fetch?: Fetch | undefined;
  reach?: Reach | undefined;
  cpuinfo?: (() => Promise<string>) | undefined;
  menu?: typeof readBoot | undefined;
  home?: typeof readHome | undefined;
  pciClass?: ReadClass | undefined;
}

export interface Inspection {
  /** The gravest first. */
  findings: readonly Finding[];
  /** One of them refuses. */
  refused: boolean;
  /** Size in bytes; null: it was not found. */
  image: { path: string; size: number } | null;
  /** Null: the menu could not be read. */
  boot: Boot | null;
  /** Titles of that menu; null: it has none for this. */
  builderEntry: string | null;
  dsmEntry: string | null;
  /** What the loader's disk is on, by the domain's XML. */
  loaderBus: string | null;
  /** Bytes; null: not known. */
  backup: { folder: string; needed: number | null; free: number | null };
  /** The DSM that is installed is known, and is the one that the loader is to be for. */
  sameDsm: boolean;
  /** Serial number and MACs, which nobody must say. */
  secrets: readonly string[];
  /** What is to be set; null where there can be no loader or no map: then there are no steps. */
  facts: LoaderFacts | null;
  /** On SataPortMap and DiskIdxMap, a sentence each. */
  mapNotes: readonly string[];
  steps: readonly Step[];
}

/** Milliseconds; libvirt keeps a definition back while its QEMU hangs. */
const definitionPatience = 10_000;
/** The stick that QEMU makes of any disk on USB. */
const qemuStick = { vid: '0x46f4', pid: '0x0001' };

/** Rejects as libvirt's calls do when the domain's definition is not to be had, or with the signal's reason. */
export async function inspect(options: InspectOptions): Promise<Inspection> {
  const { settings, adapter, vm, signal } = options;
  const parsed = parsePlatformId(settings.platform);
  const id = 'id' in parsed ? parsed.id : null;
  const folder = inspectFolder(settings.backupDir, signal);
  const [guest, backups, sources, extensions] = await Promise.all([
    lookAtGuest(
      options,
      folder.then(
        ({ nearest }) => nearest,
        () => null,
      ),
    ),
    folder,
    sourcesReachable(signal, options.reach),
    lookUp(settings.extensions, id, signal, options.fetch),
  ]);
  const { definition, image, flags } = guest;
  const config = configOf(image, adapter);
  const release = settings.upgrade === 'full' ? newestRelease : releaseOf(image);
  const own = 'why' in release ? [] : (release.builds.get(settings.platform) ?? []);
  const fetched = await lookUp([...own, ...fetchedAlways], id, signal, options.fetch);
  const loaderBus = loaderOf(definition)?.bus ?? null;
  const menu = image.boot?.entries ?? [];
  const entries = {
    builder: adapter.bootEntry(menu, 'builder', loaderBus),
    dsm: adapter.bootEntry(menu, 'dsm', loaderBus),
  };
  const installed = installedDsm(vm.check);
  const usbIds = loaderBus === 'usb' ? qemuStick : null;
  const { memory, vcpus, disks, nics, loaderPassedThrough } = definition.hardware;
  const { model, platform, upgrade, keepIdentity, sataMap } = settings;
  const findings = preflight({
    ...{ model, platform, upgrade, keepIdentity, sataMap, extensions, release, fetched },
    persistent: vm.domain?.persistent ?? true,
    ...{
      memory,
      vcpus,
      disks,
      nics,
      loaderPassedThrough,
      cpuFlags: flags,
      controllers: definition.controllers,
      usbIds,
    },
    image: imageFacts(image, { entries, other: otherLoader(menu) }),
    config: config && ('text' in config ? adapter.judgeConfig(config.text) : config),
    backup: { ...image.space, trouble: backups.trouble },
    ...{ sources, running: vm.domain?.active ?? false, obeysAcpi: obeysAcpi(vm.check), installed },
    onTimeout: options.onTimeout,
  });
  const choice = id === null ? null : mapOf(sataMap, id.platform, definition.controllers);
  const facts = id === null || choice === null ? null : loaderFacts(id, choice, definition.usbDisks, usbIds);
  return {
    findings,
    refused: findings.some(({ level }) => level === 'refuse'),
    image: image.size === null ? null : { path: image.path, size: image.size },
    ...{ boot: image.boot, builderEntry: entries.builder, dsmEntry: entries.dsm, loaderBus, facts },
    secrets: config && 'text' in config ? adapter.secrets(config.text) : [],
    sameDsm: id !== null && isSame(installed, id),
    backup: { folder: settings.backupDir, ...image.space },
    mapNotes: choice?.notes ?? [],
    steps: facts === null ? [] : adapter.plan(settings, facts),
  };
}

/** The definition, and what only it leads to. It is what the VM will start from, whatever runs now. */
async function lookAtGuest(
  { adapter, client, ref, settings, local, scratch, signal, cpuinfo, menu, home, pciClass }: InspectOptions,
  backups: Promise<string | null>,
): Promise<{ definition: Definition; image: ImageInspection; flags: readonly string[] | null }> {
  const xml = await client.xml(ref, { inactive: true, timeout: definitionPatience, signal });
  const definition = readDefinition(xml);
  const disk = loaderOf(definition) ?? null;
  const [image, flags, controllers] = await Promise.all([
    inspectImage({ way: settings.image, disk, client, ref, scratch, backups, signal, menu, home, place: adapter.home }),
    cpuFlags(definition, local, cpuinfo),
    withClasses(definition.controllers, local, signal, pciClass),
  ]);
  return { definition: { ...definition, controllers }, image, flags };
}

/** The configuration that the image builder will start with, or why it is not known; null: there is no image. */
function configOf(
  { home }: ImageInspection,
  { home: place }: LoaderAdapter,
): { text: string } | { why: string } | null {
  if (!home || 'why' in home) return home;
  const file = home.files.get(place.config);
  return file ? { text: file.toString('utf8') } : { why: `${place.archive} in the image has no ${place.config}.` };
}

function releaseOf({ home, trouble }: ImageInspection): PreflightFacts['release'] {
  if (!home || 'why' in home) return { why: home?.why ?? trouble?.why ?? 'The image was not read.' };
  return (
    readRelease(home.files) ?? { why: 'The saved home of the image builder has no rploader.sh with its list of ids.' }
  );
}

function loaderOf({ hardware }: Definition) {
  return hardware.disks.find(({ role }) => role === 'loader');
}

function imageFacts(
  { trouble, size, diskSize }: ImageInspection,
  menu: Pick<Extract<ImageFacts, { found: 'yes' }>, 'entries' | 'other'>,
): ImageFacts {
  if (trouble) return { found: trouble.certain ? 'no' : 'unknown', why: trouble.why, advice: trouble.advice };
  return { found: 'yes', size: size ?? 0, diskSize, ...menu };
}

function loaderFacts(
  { platform }: PlatformId,
  { map }: MapChoice,
  usbDisks: number,
  ids: LoaderFacts['usbIds'],
): LoaderFacts {
  // Of one stick the loader itself finds the IDs.
  return { map, deviceTree: platform.deviceTree, usbDisks, usbIds: usbDisks > 1 ? ids : null };
}

/** DSM does; what runs in its place has no daemon for the button. */
function obeysAcpi(check: InspectOptions['vm']['check']): Known {
  switch (check?.verdict) {
    case 'up':
    case 'degraded':
      return 'yes';
    case 'installer':
    case 'recoverable':
    case 'loader':
      return 'no';
    default:
      return 'unknown';
  }
}

function installedDsm(check: InspectOptions['vm']['check']): PreflightFacts['installed'] {
  const { model = null, version = null } = check?.dsm ?? {};
  const [, build] = /-(\d{4,6})$/.exec(version ?? '') ?? [];
  return model === null && version === null ? null : { model, build: build === undefined ? null : Number(build) };
}

function isSame(installed: PreflightFacts['installed'], { platform, build }: PlatformId): boolean {
  const model = installed?.model ?? platform.model;
  return installed?.build === build && model === platform.model;
}
