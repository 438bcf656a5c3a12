import type { Check } from '../../model/check.ts';
import { buildOf, type LoaderSettings, wantedDsm } from '../../model/loader-settings.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import { identityWords } from '../kinds/identity.ts';
import { refusalOf } from '../kinds/recognise.ts';
import { platformOr } from '../platforms.ts';
import { mapOf } from '../sata-map.ts';
import { cpuFlags, readDefinition } from './definition.ts';
import type { Known, PreflightFacts } from './finding.ts';
import { type ImageInspection, type InspectImageOptions, inspectImage } from './image.ts';
import { preflight } from './preflight.ts';
import { inspectFolder, realWorld, sourcesReachable, type World, withClasses } from './world.ts';

/** Collects all facts before a rebuild. Changes nothing, and every wait has a limit. */

export interface InspectOptions
  extends Pick<InspectImageOptions, 'adapters' | 'client' | 'ref' | 'scratch' | 'signal'> {
  settings: LoaderSettings;
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
  const { settings, vm, signal } = options;
  const world = { ...realWorld, ...options.world };
  const folder = inspectFolder(settings.backupDir, signal);
  const [guest, { trouble }] = await Promise.all([lookAtGuest(options, world, folder), folder]);
  const { definition, loader, image } = guest;
  const { adapter, partition } = image;
  const { hardware, controllers, usbDisks } = definition;
  const loaderBus = loader?.bus ?? null;
  const menu = partition?.boot.entries ?? [];
  const builder = adapter.bootEntry(menu, 'builder', loaderBus);
  const dsm = adapter.bootEntry(menu, 'dsm', loaderBus);
  const installed = installedDsm(vm.check);
  const usbIds = loaderBus === 'usb' ? qemuStick : null;
  const config = configOf(image);
  const text = config && 'text' in config ? config.text : null;
  const facts: PreflightFacts = {
    ...{ ...settings, ...hardware, loader: adapter.title, controllers, usbIds, cpuFlags: guest.flags, installed },
    ...{ servers: adapter.servers, sources: await sourcesReachable(world, adapter.servers, signal) },
    ...{ onTimeout: options.onTimeout, persistent: vm.domain?.persistent ?? true },
    ...{ running: vm.domain?.active ?? false, obeysAcpi: obeysAcpi(vm.check) },
    image: image.trouble ?? {
      ...{ found: 'yes', size: image.size ?? 0, diskSize: image.diskSize, entries: { builder, dsm } },
      refusal: partition && refusalOf(partition, adapter, settings.kind),
    },
    config: config && ('text' in config ? adapter.judgeConfig(config.text) : config),
    ...{ configText: text, home: image.home ?? { why: image.trouble?.why ?? 'The image was not read.' } },
    backup: { ...image.space, trouble },
  };
  const findings = preflight(facts, await adapter.examine(facts, world, signal));
  const platform = platformOr(settings.model);
  const choice = mapOf(settings.sataMap, platform, controllers);
  // If there is one stick, the loader itself finds its IDs.
  const stick = { usbDisks, usbIds: usbDisks > 1 ? usbIds : null };
  const planFacts = choice && { map: choice.map, deviceTree: platform.deviceTree, ...stick };
  const steps = planFacts ? adapter.plan(settings, planFacts) : [];
  const refused = findings.some(({ level }) => level === 'refuse');
  return {
    ...{ findings, refused, adapter, partition, loaderBus },
    home: image.home && 'files' in image.home ? image.home.files : null,
    image: image.size === null ? null : { path: image.path, size: image.size },
    ...{ boot: partition?.boot ?? null, builderEntry: builder, dsmEntry: dsm, configText: text },
    /** Serial number and MACs, which must not be shown. */
    secrets: text === null ? [] : identityWords(text),
    sameDsm: isSame(installed, settings),
    backup: { folder: settings.backupDir, ...image.space },
    mapNotes: choice?.notes ?? [],
    /** Null without steps: there is no map, or the id is none. */
    facts: steps.length > 0 ? planFacts : null,
    steps,
  };
}

/** Whether the installed DSM is known, and is the loader's DSM too. */
function isSame(installed: PreflightFacts['installed'], settings: LoaderSettings): boolean {
  const build = buildOf(wantedDsm(settings).version);
  return build !== null && installed?.build === build && (installed.model ?? settings.model) === settings.model;
}

/** The definition, and the facts that follow from it. The VM will start from it, whatever is running now. */
async function lookAtGuest(
  { adapters, client, ref, settings, local, scratch, signal }: InspectOptions,
  world: World,
  folder: ReturnType<typeof inspectFolder>,
) {
  const xml = await client.xml(ref, { inactive: true, timeout: definitionPatience, signal });
  const definition = readDefinition(xml);
  const loader = definition.hardware.disks.find(({ role }) => role === 'loader') ?? null;
  const backups = folder.then(found => found.nearest).catch(() => null);
  const [image, cpuinfo, controllers] = await Promise.all([
    inspectImage({ settings, adapters, disk: loader, client, ref, scratch, backups, signal, world }),
    // This machine knows nothing about another machine's CPU and devices.
    local ? world.cpuinfo().catch(() => '') : '',
    local ? withClasses(world, definition.controllers, signal) : definition.controllers,
  ]);
  return { definition: { ...definition, controllers }, loader, image, flags: cpuFlags(definition, cpuinfo) };
}

/** The configuration with which the image builder will start, or why it is unknown; null: there is no image. */
function configOf({ home, adapter, partition }: ImageInspection): { text: string } | { why: string } | null {
  const { home: place, config } = adapter;
  if (place && (!home || 'why' in home)) return home;
  if (!partition) return null;
  const file = home && 'files' in home ? home.files.get(config) : partition.files.get(config);
  if (file) return { text: file.toString('utf8') };
  return { why: `${place?.archive ?? 'The boot partition'} in the image has no ${config}.` };
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
  return model === null && version === null ? null : { model, build: buildOf(version ?? '') };
}
