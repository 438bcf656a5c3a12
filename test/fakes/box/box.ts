import { EventEmitter } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthContext, Connection } from 'ssh2';
import type { LoaderFault } from '../../lab/loader.ts';
import { newKeyPair } from '../ssh-key.ts';
import { type Sshd, startSshd } from '../sshd.ts';
import { makePrograms } from './calls.ts';
import { guestFolder, labScripts, unpack, withPartition } from './image.ts';
import { type Inside, Programs, programNames } from './programs.ts';
import { unwrap } from './unwrap.ts';

/**
 * The loader's image builder in this process, in milliseconds: an SSH server whose commands run in a real shell, in a
 * home that is made from what the image has saved. docs/lab.md tells of the faults; here `drop` leaves the server
 * listening, `platform-not-found` knows no id, `odd-end` ends a build in a way that nobody knows, with `hang-mount`
 * no partition is ever mounted, and with `hang-poweroff` the machine does not go off.
 */

export type BoxFault = LoaderFault | 'hang-mount' | 'hang-poweroff' | 'odd-end' | 'platform-not-found';

export interface BoxOptions {
  /** Path of the loader's image. */
  image: string;
  faults?: readonly BoxFault[];
  /** Of rploader.sh; default 0.9.2.9. */
  release?: string;
  /** Default: as TCRP is delivered. */
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
  readonly #programs: Programs;
  #folder = '';
  #server: Sshd | null = null;
  #faults: readonly BoxFault[];
  #goingDown = false;
  #down: Promise<void> | null = null;

  constructor(options: BoxOptions) {
    super();
    this.#options = options;
    this.#faults = options.faults ?? [];
    this.#programs = new Programs(this.#inside());
  }

  /** Once. */
  async start(): Promise<void> {
    const { image, host, port, hostKey = newKeyPair().private, release = '0.9.2.9' } = this.#options;
    const folder = await mkdtemp(join(tmpdir(), 'box-'));
    this.#folder = folder;
    this.#open.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    this.#open.defer(() => this.#programs.forget());
    const bin = join(folder, 'bin');
    for (const each of [this.home, bin]) mkdirSync(each);
    writeFileSync(join(folder, 'release'), release);
    this.faults = this.#faults;
    symlinkSync(join(guestFolder, 'sudo'), join(bin, 'sudo'));
    const saved = withPartition(image, 3, fat => fat.read('mydata.tgz'));
    if (saved) unpack(saved, this.home);
    this.#open.use(await makePrograms(bin, programNames, call => this.#programs.run(call)));
    this.#server = await startSshd({
      ...{ hostKey, cwd: this.home, path: `${bin}:${process.env['PATH']}` },
      env: { HOME: this.home, BOX: folder, BOX_GUEST: guestFolder, BOX_LAB: labScripts },
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

  /** Where every command starts. It is gone with the box, unless `filetool.sh` has saved it in the image. */
  get home(): string {
    return join(this.#folder, 'home');
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
    writeFileSync(join(this.#folder, 'faults'), names.join(' '));
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
    const { image } = this.#options;
    const box = this;
    return {
      image,
      get home() {
        return box.home;
      },
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
    const { user = 'tc', password = 'P@ssw0rd' } = this.#options;
    const right = context.method === 'password' && context.username === user && context.password === password;
    if (right) context.accept();
    else context.reject(['password']);
  }
}
