import type { Check } from '../../model/check.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import type { LoaderAdapter } from '../adapter.ts';
import { parsePlatformId } from '../platforms.ts';
import { mapOf } from '../sata-map.ts';
import { cpuFlags, readDefinition } from './definition.ts';
import { lookUp } from './extensions.ts';
import type { Known, PreflightFacts } from './finding.ts';
import { type ImageInspection, type InspectImageOptions, inspectImage, otherLoader } from './image.ts';
import { preflight } from './preflight.ts';
import { inspectFolder, realWorld, sourcesReachable, type World, withClasses } from './world.ts';

/** Collects all facts before a rebuild. Changes nothing, and every wait has a limit. */

export interface InspectOptions extends Pick<InspectImageOptions, 'client' | 'ref' | 'scratch' | 'signal'> {
  settings: LoaderSettings;
  adapter: LoaderAdapter;
  vm: Pick<VmSnapshot, 'domain'> & { check: Pick<Check, 'verdict' | 'dsm'> | null };
  local: boolean;
  onTimeout: 'report' | 'force_off';
  world?: Partial<World> | undefined;
}

export type Inspection = Awaited<ReturnType<typeof inspect>>;

/** Milliseconds; libvirt does not return a definition while its QEMU hangs. */
const definitionPatience = 10_000;
/** The USB stick that QEMU emulates for any disk on USB. */
const qemuStick = { vid: '0x46f4', pid: '0x0001' };

/** Rejects as libvirt's calls do when the domain's definition cannot be read, or with the signal's reason. */
export async function inspect(options: InspectOptions) {
  const { settings, adapter, vm, signal, onTimeout } = options;
  const world = { ...realWorld, ...options.world };
  const parsed = parsePlatformId(settings.platform);
  const id = 'id' in parsed ? parsed.id : null;
  const folder = inspectFolder(settings.backupDir, signal);
  const [guest, { trouble }, sources, extensions] = await Promise.all([
    lookAtGuest(options, world, folder),
    folder,
    sourcesReachable(world, signal),
    lookUp(world, settings.extensions, id, signal),
  ]);
  const { definition, loader, image, flags } = guest;
  const { hardware, controllers, usbDisks } = definition;
  const config = configOf(image, adapter);
  const release = settings.upgrade === 'full' ? adapter.newest : releaseOf(image, adapter);
  const own = 'why' in release ? [] : (release.builds.get(settings.platform) ?? []);
  const fetched = await lookUp(world, [...own, ...adapter.newest.always], id, signal);
  const loaderBus = loader?.bus ?? null;
  const menu = image.boot?.entries ?? [];
  const builder = adapter.bootEntry(menu, 'builder', loaderBus);
  const dsm = adapter.bootEntry(menu, 'dsm', loaderBus);
  const installed = installedDsm(vm.check);
  const usbIds = loaderBus === 'usb' ? qemuStick : null;
  const findings = preflight({
    ...{ ...settings, ...hardware, extensions, release, newest: adapter.newest, fetched, controllers, usbIds },
    ...{ cpuFlags: flags, sources, installed, onTimeout, persistent: vm.domain?.persistent ?? true },
    ...{ running: vm.domain?.active ?? false, obeysAcpi: obeysAcpi(vm.check) },
    image: image.trouble ?? {
      ...{ found: 'yes', size: image.size ?? 0, diskSize: image.diskSize, entries: { builder, dsm } },
      other: otherLoader(menu),
    },
    config: config && ('text' in config ? adapter.judgeConfig(config.text) : config),
    backup: { ...image.space, trouble },
  });
  const choice = id && mapOf(settings.sataMap, id.platform, controllers);
  // If there is one stick, the loader itself finds its IDs.
  const stick = { usbDisks, usbIds: usbDisks > 1 ? usbIds : null };
  const facts = id && choice && { map: choice.map, deviceTree: id.platform.deviceTree, ...stick };
  return {
    findings,
    refused: findings.some(({ level }) => level === 'refuse'),
    image: image.size === null ? null : { path: image.path, size: image.size },
    ...{ boot: image.boot, builderEntry: builder, dsmEntry: dsm, loaderBus },
    /** Serial number and MACs, which must not be shown. */
    secrets: config && 'text' in config ? adapter.secrets(config.text) : [],
    /** Whether the installed DSM is known, and is the loader's DSM too. */
    sameDsm:
      id !== null && installed?.build === id.build && (installed.model ?? id.platform.model) === id.platform.model,
    backup: { folder: settings.backupDir, ...image.space },
    mapNotes: choice?.notes ?? [],
    /** Null when there is no loader for this platform, or no map: then there are no steps. */
    facts,
    steps: facts ? adapter.plan(settings, facts) : [],
  };
}

/** The definition, and the facts that follow from it. The VM will start from it, whatever is running now. */
async function lookAtGuest(
  { adapter: { home: place }, client, ref, settings, local, scratch, signal }: InspectOptions,
  world: World,
  folder: ReturnType<typeof inspectFolder>,
) {
  const xml = await client.xml(ref, { inactive: true, timeout: definitionPatience, signal });
  const definition = readDefinition(xml);
  const loader = definition.hardware.disks.find(({ role }) => role === 'loader') ?? null;
  const backups = folder.then(found => found.nearest).catch(() => null);
  const [image, cpuinfo, controllers] = await Promise.all([
    inspectImage({ way: settings.image, disk: loader, client, ref, scratch, backups, signal, world, place }),
    // This machine knows nothing about another machine's CPU and devices.
    local ? world.cpuinfo().catch(() => '') : '',
    local ? withClasses(world, definition.controllers, signal) : definition.controllers,
  ]);
  return { definition: { ...definition, controllers }, loader, image, flags: cpuFlags(definition, cpuinfo) };
}

/** The configuration with which the image builder will start, or why it is unknown; null: there is no image. */
function configOf(
  { home }: ImageInspection,
  { home: place }: LoaderAdapter,
): { text: string } | { why: string } | null {
  if (!home || 'why' in home) return home;
  const file = home.files.get(place.config);
  return file ? { text: file.toString('utf8') } : { why: `${place.archive} in the image has no ${place.config}.` };
}

function releaseOf({ home, trouble }: ImageInspection, adapter: LoaderAdapter): PreflightFacts['release'] {
  if (!home || 'why' in home) return { why: home?.why ?? trouble?.why ?? 'The image was not read.' };
  const none = { why: 'The saved home of the image builder has no rploader.sh with its list of ids.' };
  return adapter.release(home.files) ?? none;
}

const obeying: Readonly<Partial<Record<Check['verdict'], Known>>> = {
  ...{ up: 'yes', degraded: 'yes', installer: 'no', recoverable: 'no', loader: 'no' },
};

/** DSM obeys; its installer and recovery have no daemon for the button. */
function obeysAcpi(check: InspectOptions['vm']['check']): Known {
  return (check && obeying[check.verdict]) ?? 'unknown';
}

function installedDsm(check: InspectOptions['vm']['check']): PreflightFacts['installed'] {
  const { model = null, version = null } = check?.dsm ?? {};
  const [, build] = /-(\d{4,6})$/.exec(version ?? '') ?? [];
  return model === null && version === null ? null : { model, build: build === undefined ? null : Number(build) };
}
