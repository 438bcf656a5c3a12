import { randomInt } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoaderKind } from '../../../src/loader/kinds/adapter.ts';
import { parseDomainXml } from '../../../src/vm/domain-xml.ts';
import { FakeLibvirtd } from '../libvirtd/daemon.ts';
import type { FakeDomain } from '../libvirtd/domain.ts';
import { dsmXml, type XmlOptions } from '../libvirtd/xml.ts';
import { type Box, type BoxOptions, startBox } from './box.ts';
import type { BoxFault } from './faults.ts';
import { type ImageOptions, makeLoaderImage, titles } from './image.ts';
import { grubStarts, type LoaderMenu, menuOf } from './menu.ts';
import { fakeMtools } from './mtools.ts';
import { makeRrImage, type RrImageOptions, rrTitles } from './rr/image.ts';

/**
 * A fake libvirt's domain with a loader's disk: switched on, it starts what that disk's menu says, and remembers it as
 * GRUB does. The image builder is a `Box`; what DSM is, its maker says.
 */

export interface MachineOptions {
  /** Of the loader; default TCRP. */
  kind?: LoaderKind;
  /** Path of a loader's image; default a new one, made as told, in a folder that goes with the machine. */
  image?: string | (ImageOptions & RrImageOptions);
  /** Default: one of its own. */
  daemon?: FakeLibvirtd;
  /** Who the domain is. */
  identity?: XmlOptions;
  /** Changes the domain's XML before it is defined. */
  xml?: (xml: string) => string;
  /** Where the builder's SSH is, at each of its boots; default port 2222 of a loopback address by chance. */
  host?: string;
  port?: number;
  /** The builder's private key; default a new one at each of its boots. */
  hostKey?: string;
  /** Of the builder; default: as the loader is delivered. */
  password?: string;
  /** Milliseconds from GRUB's choice to when it is up; default 20. */
  bootTime?: number;
  /** What DSM does when the power button is pressed, as `Guest.powerButton`; default 20. The builder ignores it. */
  powerButton?: number | 'ignored';
  /** Of the builder, at each of its boots. */
  faults?: readonly BoxFault[];
  /** Milliseconds for which RR's SSH answers before DSM starts, and a login keeps DSM from it; default 0. */
  bootWait?: number;
  /** DSM has come up. What it resolves to ends with DSM. */
  onDsm?: (entry: string, build: number | null) => Page | Promise<Page>;
  /** The builder has come up. What it resolves to ends with it. */
  onBuilder?: () => Page | Promise<Page>;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a test may have nothing to say to it.
type Page = AsyncDisposable | undefined | void;

const makeImage = { tcrp: makeLoaderImage, rr: makeRrImage };
/** By what they are started. */
export const builders: Readonly<Record<LoaderKind, string>> = { tcrp: titles.builder, rr: rrTitles.builder };

/** Defined, and off. With it, `mdir` and `mcopy` are in this process's PATH. */
export async function startLoaderMachine(options: MachineOptions = {}): Promise<LoaderMachine> {
  await using open = new AsyncDisposableStack();
  open.use(await fakeMtools());
  let { image } = options;
  if (typeof image !== 'string') {
    const folder = await mkdtemp(join(tmpdir(), 'machine-'));
    open.defer(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, 'loader.img');
    await makeImage[options.kind ?? 'tcrp'](path, image);
    image = path;
  }
  const daemon = options.daemon ?? open.use(await FakeLibvirtd.listen());
  const { xml = same } = options;
  const domain = daemon.define(xml(loaderXml(image, options.identity)));
  return new LoaderMachine(daemon, domain, image, options, open.move());
}

/** The lab's DSM with this loader, and the memory that a build needs. */
function loaderXml(image: string, identity: XmlOptions = {}): string {
  return dsmXml(identity)
    .replaceAll(/(<(?:currentMemory|memory) unit='MiB'>)\d+/g, '$14096')
    .replace('/var/lib/libvirt/images/loader.img', () => image);
}

/** Emits `booted` with GRUB's choice, `up` with the same when that is there, and `off`. */
export class LoaderMachine extends EventEmitter<MachineEvents> implements AsyncDisposable {
  readonly daemon: FakeLibvirtd;
  readonly domain: FakeDomain;
  /** Path of the loader's image as it was defined. */
  readonly image: string;
  readonly host: string;
  readonly port: number;
  /** Titles that GRUB has started, in their order. */
  readonly booted: string[] = [];
  /** Each that was tried at an RR that was about to start DSM. */
  readonly logins: string[] = [];
  readonly #options: MachineOptions;
  readonly #open: AsyncDisposableStack;
  #faults: readonly BoxFault[];
  #id = -1;
  #chosen: string | null = null;
  #box: Box | null = null;
  #up: string | null = null;
  #boot = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(
    daemon: FakeLibvirtd,
    domain: FakeDomain,
    image: string,
    options: MachineOptions,
    open: AsyncDisposableStack,
  ) {
    super();
    Object.assign(this, { daemon, domain, image });
    this.daemon = daemon;
    this.domain = domain;
    this.image = image;
    this.host = options.host ?? `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
    this.port = options.port ?? 2222;
    this.#options = options;
    this.#faults = options.faults ?? [];
    this.#open = open;
    this.domain.guest.powerButton = 'ignored';
    // What QEMU does is seen here whoever is connected to the daemon, and while it is down.
    const { emit } = daemon;
    daemon.emit = (name, body) => {
      emit.call(daemon, name, body);
      this.#look(name === 'reboot' && body.domain.uuid === domain.uuid);
    };
  }

  /** The image builder, while it is up. */
  box(): Box | null {
    return this.#box;
  }

  /** What is up, by its title; null: it is off, or booting. */
  get running(): string | null {
    return this.#up;
  }

  /** As it is on the disk. */
  get menu(): LoaderMenu {
    return menuOf(this.image);
  }

  get faults(): readonly BoxFault[] {
    return this.#faults;
  }

  /** From now on, in a builder that runs too. */
  set faults(names: readonly BoxFault[]) {
    this.#faults = names;
    if (this.#box) this.#box.faults = names;
  }

  /** Somebody is at the screen when it starts next, and chooses this entry. */
  choose(title: string): void {
    this.#chosen = title;
  }

  /** Resolves when something is up, at once where it is: to its title. */
  async up(deadline = 60_000): Promise<string> {
    if (this.#up !== null) return this.#up;
    const [title] = await once(this, 'up', { signal: AbortSignal.timeout(deadline) });
    return title;
  }

  /** Resolves when the builder is up, at once where it is. */
  async builder(deadline = 60_000): Promise<Box> {
    const signal = AbortSignal.timeout(deadline);
    while (!this.#box) await once(this, 'up', { signal });
    return this.#box;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    this.#id = Number.NaN;
    await this.#running.finally(() => this.#open.disposeAsync());
  }

  #look(rebooted: boolean): void {
    const { id } = this.domain;
    if (Number.isNaN(this.#id) || (id === this.#id && !rebooted)) return;
    this.#id = id;
    this.#stop();
    if (id === -1) this.emit('off');
    else this.#start();
  }

  #stop(): void {
    this.#boot.abort();
    this.#box = null;
    this.#up = null;
    this.domain.guest.powerButton = 'ignored';
  }

  #start(): void {
    const image = this.#loader();
    const menu = image === null ? null : grubStarts(image, this.#chosen);
    this.#chosen = null;
    const title = menu?.next ?? null;
    // The firmware waits for a key.
    if (image === null || menu === null || title === null) return;
    this.booted.push(title);
    this.emit('booted', title);
    const boot = new AbortController();
    this.#boot = boot;
    const before = this.#running;
    this.#running = before.then(() => this.#run(image, title, menu.build, boot.signal));
  }

  #loader(): string | null {
    return parseDomainXml(this.domain.xml()).disks.find(({ role }) => role === 'loader')?.source ?? null;
  }

  async #run(image: string, title: string, build: number | null, signal: AbortSignal): Promise<void> {
    const { kind = 'tcrp', bootTime = 20, bootWait = 0, powerButton = 20, onDsm, onBuilder } = this.#options;
    await sleep(bootTime, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await using open = new AsyncDisposableStack();
    const isBuilder = title === builders[kind];
    if (isBuilder || !(await this.#passes(image, bootWait, signal))) {
      const box = open.use(await this.#startBox(image, isBuilder, signal));
      const page = await onBuilder?.();
      if (page) open.use(page);
      if (!signal.aborted) this.#box = box;
    } else {
      const dsm = await onDsm?.(title, build);
      if (dsm) open.use(dsm);
      if (!signal.aborted) this.domain.guest.powerButton = powerButton;
    }
    if (signal.aborted) return;
    this.#up = title;
    this.emit('up', title);
    if (!signal.aborted) await once(signal, 'abort');
  }

  /** Whether nobody logs in to an RR that is about to start DSM. */
  async #passes(image: string, wait: number, signal: AbortSignal): Promise<boolean> {
    if (wait === 0) return true;
    await using box = await this.#startBox(image, false, signal);
    await sleep(wait, undefined, { signal }).catch(() => {});
    this.logins.push(...box.logins);
    return box.logins.length === 0;
  }

  async #startBox(image: string, armed: boolean, signal: AbortSignal): Promise<Box> {
    const { kind, hostKey, password } = this.#options;
    const given: Partial<BoxOptions> = {
      ...(kind !== undefined && { kind }),
      ...(hostKey !== undefined && { hostKey }),
      ...(password !== undefined && { password }),
    };
    const box = await startBox({ image, armed, host: this.host, port: this.port, faults: this.#faults, ...given });
    box.once('poweroff', () => !signal.aborted && this.domain.powerOff());
    box.once('reboot', () => !signal.aborted && this.domain.reboot());
    return box;
  }
}

interface MachineEvents {
  booted: [title: string];
  up: [title: string];
  off: [];
}

function same(xml: string): string {
  return xml;
}
