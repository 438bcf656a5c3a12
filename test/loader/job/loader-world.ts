import { createHash, randomUUID } from 'node:crypto';
import fs, { readFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { expect } from 'vitest';
import { isFinal } from '../../../src/cli/outcome.ts';
import type { ResponseDocument } from '../../../src/commands/responder.ts';
import type { LoaderDocument } from '../../../src/model/documents.ts';
import type { LoaderSettings } from '../../../src/model/loader-settings.ts';
import { type ConfigChanges, Running, vmConfig } from '../../bridge/running.ts';
import { type LoaderMachine, type MachineOptions, startLoaderMachine } from '../../fakes/box/machine.ts';
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
    kind: 'tcrp',
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

export class LoaderWorld implements AsyncDisposable {
  readonly running: Running;
  readonly machine: LoaderMachine;
  readonly seen: Observer;
  readonly changes: ConfigChanges;
  /** Of the image, before anything was done. */
  readonly before: string;

  constructor(running: Running, machine: LoaderMachine, seen: Observer, changes: ConfigChanges, before: string) {
    this.running = running;
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
        ...(soon && { adapters: () => hasty }),
      },
      ...(libvirt && { libvirt }),
    };
    if (on) {
      machine.domain.start();
      await machine.up();
    }
    const seen = await running.observe();
    return new LoaderWorld(running, machine, seen, changes, await sumOf(machine.image));
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
