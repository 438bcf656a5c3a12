import { access, constants, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Input, Recorder } from '../../boot/recorder.ts';
import { bootStore, noBoots } from '../../boot/recording.ts';
import { tail } from '../../boot/tail.ts';
import type { Publisher } from '../../bridge/publisher.ts';
import type { HostConfig } from '../../config/config.ts';
import { errorCode } from '../../libvirt/errors.ts';
import type { Event, Snapshot, VmKey } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import { inTime } from '../../util/deadline.ts';
import type { Logger } from '../../util/logger.ts';
import { readConsole } from '../../vm/console.ts';
import { isLocal } from './libvirt.ts';
import type { Hypervisor, TakePicture } from './power.ts';
import type { SerialLogs } from './serial-logs.ts';

export interface BootsParts {
  config: HostConfig;
  state: State;
  hypervisor: Pick<Hypervisor, 'open' | 'watch'>;
  takePicture: TakePicture;
  publisher: Pick<Publisher, 'screen'>;
  serialLogs: Pick<SerialLogs, 'path' | 'begin'>;
  logger: Logger;
}

/** Milliseconds. */
const storePatience = 500;

/** Records what each VM says while it boots. Between boots it reads nothing. */
export class Boots {
  readonly #parts: BootsParts;
  readonly #recorders = new Map<VmKey, Recorder>();
  /** Of the loader's image. */
  readonly #identities = new Map<VmKey, readonly string[]>();
  #settled: () => Promise<unknown> = async () => {};

  constructor(parts: BootsParts) {
    this.#parts = { ...parts, logger: parts.logger.child({ part: 'boot' }) };
  }

  /** Reads what an earlier bridge has stored. */
  async open(): Promise<void> {
    const { config, state, logger } = this.#parts;
    const names = new Set(await readdir(join(config.dataDir, 'boots')).catch(() => []));
    const stores = config.vms.map(async vm => {
      const { key } = vm;
      const store = bootStore(config.dataDir, key, logger);
      const recorder = new Recorder({
        ...{ vm: () => state.vm(key), grace: vm.checks.bootGrace, save: boots => store.save(boots) },
        was: names.has(`${key}.json`) ? await store.load() : noBoots,
        tell: boot => state.dispatch({ type: 'boot', key, boot, at: new Date().toISOString() }),
        known: () => this.#known(vm),
        picture: () => void this.#picture(vm),
        read: (into, signal) => void this.#read(vm, into, signal),
      });
      this.#recorders.set(key, recorder);
      recorder.start();
      return store;
    });
    const all = await Promise.all(stores);
    this.#settled = () => Promise.all(all.map(store => store.settled()));
  }

  async close(): Promise<void> {
    for (const recorder of this.#recorders.values()) recorder.close();
    // A file system may hang.
    await inTime(this.#settled(), storePatience, null);
  }

  /** Serial number and MACs in a loader's image. */
  identify(key: VmKey, words: readonly string[]): void {
    this.#identities.set(key, words);
  }

  hear(event: Event, before: Snapshot): void {
    if (!('key' in event) || event.type === 'boot') return;
    const vm = before.vms[event.key];
    if (vm) this.#recorders.get(event.key)?.hear(event, vm);
  }

  /** As `Recorder.follow`; null: there is no such VM. */
  follow(key: VmKey, follower: Parameters<Recorder['follow']>[0]): (() => void) | null {
    return this.#recorders.get(key)?.follow(follower) ?? null;
  }

  #known({ key, loader }: HostConfig['vms'][number]): string[] {
    const macs = this.#parts.state.vm(key).domain?.hardware.nics.map(({ mac }) => mac) ?? [];
    return [...macs, ...(loader?.ssh.password ? [loader.ssh.password] : []), ...(this.#identities.get(key) ?? [])];
  }

  async #picture({ key, commands }: HostConfig['vms'][number]): Promise<void> {
    const { takePicture, publisher, config } = this.#parts;
    if (!commands.includes('screenshot') || config.libvirt.readOnly) return;
    const picture = await takePicture(key).catch(() => null);
    if (Buffer.isBuffer(picture)) publisher.screen(key, picture, false);
  }

  async #read(vm: HostConfig['vms'][number], { hear, note }: Input, signal: AbortSignal): Promise<void> {
    const { config, state, hypervisor, serialLogs, logger } = this.#parts;
    const { key } = vm;
    const unread = (reason: string) =>
      logger.info({ event: 'boot.unread', vm: key, reason }, 'what this VM says while it boots cannot be read');
    const path = serialLogs.path(key);
    const local = isLocal(config.libvirt, state.snapshot.hypervisor.info?.hostname ?? null);
    const unreadable = path && local ? await access(path, constants.R_OK).catch((error: Error) => error.message) : null;
    if (path && local && !unreadable) {
      const from = await serialLogs.begin(key);
      const reading = tail({ path, from, hear: bytes => hear(bytes, 'log'), signal });
      return reading.catch((error: Error) => unread(error.message));
    }
    if (unreadable) unread(unreadable);
    const ref = hypervisor.watch.target(key)?.ref;
    if (vm.console === 'never' || !ref) return;
    const lost = () => note('libvirt is away: what comes meanwhile is missing');
    const { open } = hypervisor;
    const error = await readConsole({ open, ref, signal, lost, hear: bytes => hear(bytes, 'console') });
    if (error?.code === errorCode.operationFailed) unread('somebody else has its console');
    else if (error) unread(error.message);
    else if (!signal.aborted && state.vm(key).domain?.active) note('the console was taken away');
  }
}
