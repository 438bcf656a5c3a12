/** An SSH server in this process. It runs commands in a real shell, or plays them, and misbehaves as it is told. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type AuthContext, type Connection, Server, type ServerChannel, utils } from 'ssh2';
import { fingerprint } from '../../src/ssh/host-key.ts';
import { newKeyPair } from './ssh-key.ts';

export interface SshdOptions {
  /** A private key; default one that all servers of a test file share. */
  hostKey?: string;
  /** What becomes of the nth connection, from 1: `drop` closes it, `mute` never says a word. Default: `serve`. */
  gate?: (nth: number) => 'serve' | 'drop' | 'mute';
  /** Default: `tc` with password `secret`. */
  login?: (context: AuthContext, connection: Connection) => void;
  /** Starts no command. */
  refuses?: boolean;
  /** Plays a command instead of running it. */
  play?: (command: Played) => void;
  /** Signals are for show, as with OpenSSH before 7.9. */
  ignoresSignals?: boolean;
  /** Commands are not made a process group of their own, as dropbear does it. */
  grouped?: boolean;
  /** What runs in the place of a command; default itself. */
  translate?: (command: string) => string;
  /** Where commands find programs; default as here. */
  path?: string;
  /** The folder that commands start in; default as here. */
  cwd?: string;
  /** What commands have in their environment beside what is here. */
  env?: Readonly<Record<string, string>>;
  /** Default: loopback. */
  host?: string;
  port?: number;
}

/** One command, played by hand. */
export interface Played {
  channel: ServerChannel;
  /** As the client sent it, wrapping included. */
  command: string;
  /** What the client has written to its stdin, so far. */
  stdin(): string;
  /** Whether stdin was closed. */
  closed(): boolean;
}

export interface Sshd extends AsyncDisposable {
  host: string;
  port: number;
  fingerprint: string;
  /** Every login tried, `none` included: `tc password secret`. */
  logins: string[];
  /** All commands, as they were sent. */
  commands: string[];
  signals: string[];
  /** How many connections there were. */
  connections(): number;
  /** How many there are. */
  open(): number;
  /** Breaks all connections. */
  drop(): void;
  /** From now on no connection hears or says anything. */
  freeze(): void;
}

/** The process group that a played command claims to be: the highest possible, which no test meets. */
export const playedGroup = 4_194_303;

const sharedKey = newKeyPair();

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const { hostKey = sharedKey.private, gate = () => 'serve', login = password, grouped = true } = options;
  const { host = '127.0.0.1', port = 0 } = options;
  const server = new Server({ hostKeys: [hostKey] });
  const sockets = new Set<Socket>();
  const children = new Set<ChildProcess>();
  const state = { logins: [] as string[], commands: [] as string[], signals: [] as string[] };
  let connections = 0;

  server.on('connection', connection => {
    connection.on('error', () => {});
    connection.on('authentication', context => {
      state.logins.push(
        [context.username, context.method, 'password' in context ? context.password : ''].join(' ').trim(),
      );
      login(context, connection);
    });
    connection.on('session', accept => {
      const session = accept();
      let child: ChildProcess | null = null;
      session.on('pty', acceptPty => acceptPty());
      session.on('signal', (_, __, { name }) => {
        state.signals.push(name);
        if (child?.pid && !options.ignoresSignals) tryKill(grouped ? -child.pid : child.pid, `SIG${name}`);
      });
      session.on('exec', (acceptExec, refuse, { command }) => {
        state.commands.push(command);
        if (options.refuses) return refuse();
        const channel = acceptExec();
        if (options.play) return options.play(played(channel, command));
        child = run(channel, options.translate?.(command) ?? command, grouped, options);
        children.add(child);
      });
    });
  });

  const listener = createServer(socket => {
    sockets.add(socket);
    socket.setNoDelay();
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    const fate = gate(++connections);
    if (fate === 'drop') socket.destroy();
    if (fate === 'serve') server.injectSocket(socket);
    else socket.resume();
  });
  listener.listen(port, host);
  await once(listener, 'listening');
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  const key = utils.parseKey(hostKey);
  if (key instanceof Error) throw key;
  return {
    host,
    port: (listener.address() as AddressInfo).port,
    fingerprint: fingerprint(key.getPublicSSH()),
    ...state,
    connections: () => connections,
    open: () => sockets.size,
    drop,
    freeze() {
      for (const socket of sockets) socket.removeAllListeners('data').on('data', () => {});
    },
    async [Symbol.asyncDispose]() {
      drop();
      for (const { pid } of children) if (pid) tryKill(-pid);
      listener.close();
      await once(listener, 'close');
    },
  };
}

function password(context: AuthContext): void {
  if (context.method === 'password' && context.username === 'tc' && context.password === 'secret') context.accept();
  else context.reject(['password', 'publickey']);
}

function played(channel: ServerChannel, command: string): Played {
  let said = '';
  let closed = false;
  channel.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  channel.on('end', () => {
    closed = true;
  });
  channel.on('error', () => {});
  // The wrapped ones announce their group.
  if (command.includes('\\036')) channel.write(`\x1e${playedGroup}\x1e`);
  return { channel, command, stdin: () => said, closed: () => closed };
}

/** As sshd does: a session of its own, and the end of the command ends the channel when its output is closed too. */
function run(
  channel: ServerChannel,
  command: string,
  grouped: boolean,
  { path, cwd, env: more }: Pick<SshdOptions, 'path' | 'cwd' | 'env'>,
): ChildProcess {
  const env = { ...process.env, ...(path !== undefined && { PATH: path }), ...more };
  const child = spawn('/bin/sh', ['-c', command], { detached: grouped, env, ...(cwd !== undefined && { cwd }) });
  channel.on('error', () => {});
  child.stdin.on('error', () => {});
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.on('data', bytes => channel.stderr.write(bytes));
  child.on('exit', (code, signal) => {
    if (code === null) channel.exit(`${signal}`.replace('SIG', ''));
    else channel.exit(code);
  });
  child.on('close', () => channel.end());
  channel.on('close', () => {
    child.stdout.destroy();
    child.stderr.destroy();
    child.stdin.destroy();
  });
  return child;
}

function tryKill(pid: number, signal = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
