import { createHash, randomUUID } from 'node:crypto';
import fs, { readFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { expect } from 'vitest';
import { isFinal } from '../../../src/cli/terminal.ts';
import type { ResponseDocument } from '../../../src/commands/responder.ts';
import type { RunningPhase } from '../../../src/loader/job/phases.ts';
import type { LoaderKind } from '../../../src/loader/kinds/adapter.ts';
import type { LoaderDocument } from '../../../src/model/documents.ts';
import type { LoaderSettings } from '../../../src/model/loader-settings.ts';
import { type ConfigChanges, Running, vmConfig } from '../../bridge/running.ts';
import { titles } from '../../fakes/box/image.ts';
import { builders, type LoaderMachine, type MachineOptions, startLoaderMachine } from '../../fakes/box/machine.ts';
import { rrTitles } from '../../fakes/box/rr/image.ts';
import { FakeDsm } from '../../fakes/dsm/fake.ts';
import type { ScenarioName } from '../../fakes/dsm/scenario.ts';
import type { Observer } from '../../mqtt/observer.ts';
import { hasty, type times, tuning } from './loader-tuning.ts';

/** The whole bridge, and a machine whose disk has a loader: what GRUB starts, SSH, DSM's pages and libvirt are real sockets. */

export interface LoaderWorldOptions extends MachineOptions {
  loader?: Partial<LoaderSettings>;
  ssh?: Partial<LoaderSettings['ssh']>;
  vm?: Partial<VmConfig>;
  libvirt?: ConfigChanges['libvirt'];
  /** What DSM's pages are, by the entry that was started and by the build that made it; null: none, it hangs. */
  dsm?: (entry: string, build: number | null) => ScenarioName | null;
  times?: Partial<typeof times>;
  /** A build that says nothing is given up soon. */
  hasty?: boolean;
  /** The image is reached as a file, and not by libvirt. */
  byPath?: boolean;
  /** False: it is off. */
  on?: boolean;
}

/** A whole rebuild, on a machine with other things to do. */
const patient = { deadline: 150_000 };

type VmConfig = ReturnType<typeof vmConfig>;

/** As the lab's loader is. */
const loaderSettings = (changes: Partial<LoaderSettings> = {}): LoaderSettings => ({
  ...{
    kind: 'auto',
    upgradeZip: null,
    addons: [],
    model: 'DS918+',
    platform: 'ds918p-7.1.1-42962',
    upgrade: 'never',
    keepIdentity: true,
  },
  ...{ extensions: [], sataMap: 'auto', image: { way: 'volume', transientPool: true }, onFailure: 'ask' },
  ssh: { host: null, port: 22, user: null, password: null, privateKey: null, hostKey: null },
  ...{ backupDir: '/nowhere', keepBackups: 3 },
  ...changes,
});

/** The entries of a loader's menu. */
export const entries = {
  tcrp: { dsm: titles.usb, builder: builders.tcrp },
  rr: { dsm: rrTitles.dsm, builder: builders.rr },
} as const;

export const kinds = ['tcrp', 'rr'] as const;

/** Otherwise RR's rebuild, which is the same transaction, is tried where something of it is RR's own. */
export const triesAll = process.env['REBUILD_ALL'] !== undefined;

/** Whether a test of a phase is run with this kind. */
export function isTried(kind: LoaderKind, phase: RunningPhase): boolean {
  return kind === 'tcrp' || ofRr.includes(phase) || triesAll;
}

const ofRr: readonly RunningPhase[] = ['booting_builder', 'connecting', 'building', 'verifying'];

export class LoaderWorld implements AsyncDisposable {
  readonly running: Running;
  readonly machine: LoaderMachine;
  readonly seen: Observer;
  readonly changes: ConfigChanges;
  /** Of the image, before anything was done. */
  readonly before: string;
  /** The titles in its menu. */
  readonly entries: (typeof entries)[LoaderKind];

  constructor(
    running: Running,
    machine: LoaderMachine,
    seen: Observer,
    changes: ConfigChanges,
    before: string,
    kind: LoaderKind,
  ) {
    this.running = running;
    this.entries = entries[kind];
    this.machine = machine;
    this.seen = seen;
    this.changes = changes;
    this.before = before;
  }

  /** DSM runs, and the bridge has seen that. */
  static async start(options: LoaderWorldOptions = {}): Promise<LoaderWorld> {
    const world = await LoaderWorld.prepare(options);
    await world.begin();
    return world;
  }

  /** The bridge follows with `begin`. */
  static async prepare(options: LoaderWorldOptions = {}): Promise<LoaderWorld> {
    const {
      loader,
      ssh,
      libvirt,
      vm,
      dsm = () => 'up' as const,
      times: changed,
      hasty: soon = false,
      byPath = false,
      on = true,
      ...rest
    } = options;
    const running = await Running.prepare();
    const machine = await startLoaderMachine({
      daemon: running.daemon,
      onDsm: async (entry, build) => {
        const scenario = dsm(entry, build);
        return scenario === null ? undefined : FakeDsm.listen({ address: machine.host, scenario });
      },
      // RR's own page.
      onBuilder: async () =>
        options.kind === 'rr' ? FakeDsm.listen({ address: machine.host, scenario: 'loader' }) : undefined,
      ...rest,
    });
    const settings = loaderSettings({
      backupDir: `${running.folder}/loader-backups`,
      ...(byPath && { image: { way: 'path', path: machine.image } }),
      ...loader,
    });
    const login = { ...settings.ssh, host: machine.host, port: machine.port, ...ssh };
    const checks = { ...vmConfig().checks, ports: [5_000], failuresBeforeDown: 1 };
    const changes: ConfigChanges = {
      vms: [vmConfig({ loader: { ...settings, ssh: login }, address: machine.host, checks, ...vm })],
      ...tuning,
      loader: {
        ...tuning.loader,
        times: { ...tuning.loader.times, ...changed },
        ...(soon && { adapters: hasty }),
      },
      ...(libvirt && { libvirt }),
    };
    if (on) {
      machine.domain.start();
      await machine.up();
    }
    const seen = await running.observe();
    return new LoaderWorld(running, machine, seen, changes, await sumOf(machine.image), options.kind ?? 'tcrp');
  }

  /** Another bridge on the same folder. */
  async begin(): Promise<void> {
    await this.running.start(this.changes);
    await this.seen.take('b/DSM/availability', 'online');
  }

  /** Of the image as it is now. */
  sum(): Promise<string> {
    return sumOf(this.machine.image);
  }

  /** A rebuild whose copy of the image is held up until `stuck` is released; `asked` is what becomes of it. */
  async copying() {
    const asked = this.ask('rebuild');
    await this.loader(({ phase }) => phase === 'shutting_down');
    const stuck = this.running.daemon.hang('storageVolDownload');
    await this.loader(({ phase }) => phase === 'backing_up');
    return { asked, stuck };
  }

  /** A command to its end: its last answer, and what the loader's document then says. */
  async ask(word: string, options: object = {}): Promise<{ answer: ResponseDocument; loader: LoaderDocument }> {
    const id = `${word}-${randomUUID()}`;
    const confirm = word === 'rebuild' || word === 'rollback' ? { confirm: true } : {};
    await this.command({ command: word, id, ...confirm, ...options });
    const answer = await this.answer(id);
    const last = this.documents.at(-1);
    if (!last) throw new Error('there is no document of the loader');
    return { answer, loader: last };
  }

  /** The first answer to a command of which not all is said with it. */
  async heard(word: string): Promise<void> {
    await this.seen.seen.take(
      ({ topic, payload }) => topic === 'b/DSM/response' && JSON.parse(payload).command === word,
    );
  }

  /** The last answer to a command. */
  async answer(id: string): Promise<ResponseDocument> {
    const read = ({ payload }: { payload: string }): ResponseDocument => JSON.parse(payload);
    const final = (document: ResponseDocument) => document.id === id && isFinal(document);
    const matches = (message: { topic: string; payload: string }) =>
      message.topic === 'b/DSM/response' && final(read(message));
    return read(await this.seen.seen.take(matches, patient));
  }

  /** All that the loader's topic has ever shown. */
  get documents(): LoaderDocument[] {
    return this.seen.seen.all.filter(({ topic }) => topic === 'b/DSM/loader').map(({ payload }) => JSON.parse(payload));
  }

  /** There is a copy that is the image as it was, or the image is that itself; and what is offered brings it back. */
  async unharmed({ rollback, backup }: LoaderDocument): Promise<void> {
    if (!rollback) {
      expect(await this.sum()).toBe(this.before);
      return;
    }
    expect(await sumOf(backup.file ?? '')).toBe(this.before);
    this.machine.faults = [];
    const back = await this.ask('rollback', { on_timeout: 'force_off' });
    expect(back).toMatchObject({
      answer: { status: 'succeeded', code: 'done' },
      loader: { phase: 'rolled_back', result: 'rolled_back', rollback: false, error: null },
    });
    expect(await this.machine.up()).toBe(this.entries.dsm);
    expect(await this.sum()).toBe(this.before);
  }

  /** It says what failed, how the VM is, and what can be done. */
  told({ error, next_step }: LoaderDocument): void {
    const { active } = this.machine.domain;
    expect(error).toContain(active ? 'The VM runs' : 'The VM is off');
    // There is nothing to be done where all is as it was.
    if (!(active && error?.includes('its loader is untouched'))) expect(next_step ?? '').not.toBe('');
  }

  /** Puts the old image back, whatever becomes of DSM then. */
  async rollsBack(): Promise<void> {
    await this.command({ command: 'rollback', confirm: true });
    await this.loader(({ step }) => step === 'Starting DSM from the old loader');
    expect(await this.sum()).toBe(this.before);
  }

  /** A rebuild whose bridge ends when the image builder has been started; the next one is to report that. */
  async abandoned(): Promise<void> {
    void this.command({ command: 'rebuild', confirm: true });
    await this.loader(({ phase }) => phase === 'connecting');
    await this.running.stop();
    expect(this.seen.seen.all.filter(({ payload }) => payload.includes('"event_type":"interrupted"'))).toEqual([]);
  }

  async command(command: object): Promise<void> {
    await this.seen.publish('b/DSM/command', JSON.stringify(command));
  }

  /** The next loader document that is as wanted. */
  async loader(matches: (document: LoaderDocument) => boolean): Promise<LoaderDocument> {
    const read = ({ payload }: { payload: string }): LoaderDocument => JSON.parse(payload);
    return read(
      await this.seen.seen.take(message => message.topic === 'b/DSM/loader' && matches(read(message)), patient),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running.stop();
    await this.machine[Symbol.asyncDispose]();
    await this.running[Symbol.asyncDispose]();
  }
}

/** Another function in the place of one of `node:fs/promises`, in all of this process. */
export function replaceFs<K extends keyof typeof fs>(
  name: K,
  make: (original: (typeof fs)[K]) => (typeof fs)[K],
): Disposable {
  const original = fs[name];
  const put = (it: (typeof fs)[K]) => {
    fs[name] = it;
    syncBuiltinESMExports();
  };
  put(make(original));
  return { [Symbol.dispose]: () => put(original) };
}

/** SHA-256 */
export async function sumOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
