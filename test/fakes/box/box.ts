import { EventEmitter } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { AuthContext, Connection } from 'ssh2';
import type { LoaderKind } from '../../../src/loader/kinds/adapter.ts';
import { newKeyPair } from '../ssh-key.ts';
import { type Sshd, startSshd } from '../sshd.ts';
import { makePrograms } from './calls.ts';
import type { BoxFault } from './faults.ts';
import { RrSystem } from './rr/system.ts';
import type { Inside, System } from './system.ts';
import { TcrpSystem } from './tcrp/system.ts';
import { unwrap } from './unwrap.ts';

/**
 * The loader's image builder in this process, in milliseconds: an SSH server whose commands run in a real shell, in a
 * folder that is made from what the image has.
 */

export interface BoxOptions {
  /** Path of the loader's image. */
  image: string;
  /** Default: TCRP. */
  kind?: LoaderKind;
  faults?: readonly BoxFault[];
  /** Of rploader.sh; default 0.9.2.9. */
  release?: string;
  /** False: RR was started to boot DSM. */
  armed?: boolean;
  /** Default: as the loader is delivered. */
  user?: string;
  password?: string;
  /** A private key; default a new one. */
  hostKey?: string;
  /** Default: loopback, and a free port. */
  host?: string;
  port?: number;
  /** Milliseconds from `poweroff` or `reboot` to its end; default 20. */
  goesDownIn?: number;
}

/** How it came to its end. */
export type BoxEnd = 'poweroff' | 'reboot' | 'closed';

export async function startBox(options: BoxOptions): Promise<Box> {
  const box = new Box(options);
  try {
    await box.start();
  } catch (error) {
    await box.close();
    throw error;
  }
  return box;
}

/** Emits `poweroff` or `reboot` when it has gone down by itself, and nobody can connect any more. */
export class Box extends EventEmitter<{ poweroff: []; reboot: [] }> implements AsyncDisposable {
  readonly #options: BoxOptions;
  readonly #ended = Promise.withResolvers<BoxEnd>();
  readonly #open = new AsyncDisposableStack();
  #folder = '';
  #system: System | null = null;
  #server: Sshd | null = null;
  #faults: readonly BoxFault[];
  #goingDown = false;
  #down: Promise<void> | null = null;

  constructor(options: BoxOptions) {
    super();
    this.#options = options;
    this.#faults = options.faults ?? [];
  }

  /** Once. */
  async start(): Promise<void> {
    const {
      kind = 'tcrp',
      host,
      port,
      hostKey = newKeyPair().private,
      release = '0.9.2.9',
      armed = true,
    } = this.#options;
    const folder = await mkdtemp(join(tmpdir(), 'box-'));
    this.#folder = folder;
    this.#open.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    const inside = this.#inside();
    const system = kind === 'rr' ? new RrSystem(inside, armed) : new TcrpSystem(inside, release);
    this.#system = system;
    this.#open.defer(() => system.forget());
    system.begin();
    system.suffer(this.#faults);
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    for (const script of system.scripts) symlinkSync(script, join(bin, basename(script)));
    this.#open.use(await makePrograms(bin, system.programs, async call => system.run(call)));
    this.#server = await startSshd({
      ...{ hostKey, cwd: system.home, path: `${bin}:${process.env['PATH']}`, env: system.env },
      translate: command => system.translate(command),
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
      login: (context, connection) => this.#login(context, connection),
    });
    this.#open.use(this.#server);
  }

  get host(): string {
    return this.#sshd.host;
  }

  get port(): number {
    return this.#sshd.port;
  }

  /** Of its host key. */
  get fingerprint(): string {
    return this.#sshd.fingerprint;
  }

  /** Where every command starts. It is gone with the box; TCRP's `filetool.sh` saves it in the image. */
  get home(): string {
    return this.#system?.home ?? '';
  }

  /** All that were run, as they were meant: without what `src/ssh/wrap.ts` puts around them. */
  get commands(): readonly string[] {
    return this.#sshd.commands.map(unwrap);
  }

  /** Every login tried: `tc password P@ssw0rd`. */
  get logins(): readonly string[] {
    return this.#sshd.logins;
  }

  /** Of its SSH server. */
  get sshd(): Sshd {
    return this.#sshd;
  }

  /** Resolves when it has gone down, or is closed. */
  get ended(): Promise<BoxEnd> {
    return this.#ended.promise;
  }

  get faults(): readonly BoxFault[] {
    return this.#faults;
  }

  /** For what is looked at from now on, in a command that runs too. */
  set faults(names: readonly BoxFault[]) {
    this.#faults = names;
    this.#system?.suffer(names);
  }

  /** Pulls its plug: whatever runs in it is killed, and the image stays as it is. Idempotent. */
  async close(): Promise<void> {
    await this.#stop();
    this.#ended.resolve('closed');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #sshd(): Sshd {
    if (!this.#server) throw new Error('the box was not started');
    return this.#server;
  }

  #stop(): Promise<void> {
    this.#goingDown = true;
    this.#down ??= this.#open.disposeAsync();
    return this.#down;
  }

  #inside(): Inside {
    return {
      ...{ image: this.#options.image, folder: this.#folder },
      has: fault => this.#faults.includes(fault),
      goDown: (how, atOnce) => this.#goDown(how, atOnce),
      drop: async () => {
        this.#sshd.drop();
        // Until then what is said would find its way into a pipe.
        await new Promise(resolve => setTimeout(resolve, 20));
      },
    };
  }

  #goDown(how: 'poweroff' | 'reboot', atOnce: boolean): void {
    if (this.#goingDown) return;
    this.#goingDown = true;
    const { goesDownIn = 20 } = this.#options;
    setTimeout(
      async () => {
        // Closed meanwhile.
        if (this.#down !== null) return;
        await this.#stop();
        this.#ended.resolve(how);
        this.emit(how);
      },
      atOnce ? 0 : goesDownIn,
    );
  }

  #login(context: AuthContext, _: Connection): void {
    const { user, password } = { ...this.#system?.login, ...this.#options };
    const right = context.method === 'password' && context.username === user && context.password === password;
    if (right) context.accept();
    else context.reject(['password']);
  }
}
