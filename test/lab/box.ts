import { Client, type ConnectConfig } from 'ssh2';
import { address, patience, poll } from './lab.ts';

/** SSH into the image builder, as its user: one command at a time, its questions answered as they come. */

export interface Ended {
  /** null: the connection was lost before it ended. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** What is typed when a question shows, in their order; after the last one nothing is, and stdin stays open. */
  answers?: readonly (readonly [question: string, answer: string])[];
  /** Nobody is there: stdin is at its end from the beginning. */
  closed?: boolean;
  /** With a terminal, both outputs arrive as stdout. */
  pty?: boolean;
  deadline?: number;
}

export interface Box extends Disposable {
  run(command: string, options?: RunOptions): Promise<Ended>;
  /** As base64 of its hash. */
  hostKey: string;
  /** Resolves when the connection is over. */
  closed: Promise<void>;
}

/** Who may log in: as TCRP is delivered, and as RR is. */
export const users = {
  tcrp: { username: 'tc', password: 'P@ssw0rd' },
  rr: { username: 'root', password: 'rr' },
} as const;
type User = { username: string; password: string };

/** Resolves when the builder's SSH server has let the user in; asks again while it boots. */
export function login(deadline = patience, user: User = users.tcrp): Promise<Box> {
  return poll(() => connect(user), { deadline, interval: 200, what: 'SSH into the builder' });
}

async function connect(user: User): Promise<Box> {
  const client = new Client();
  let hostKey = '';
  const options: ConnectConfig = {
    host: address.guest,
    ...user,
    readyTimeout: 20_000,
    // Whoever reboots without a word is noticed by this alone.
    keepaliveInterval: 2_000,
    hostHash: 'sha256',
    hostVerifier: (key: string) => {
      hostKey = key;
      return true;
    },
  };
  await new Promise<void>((resolve, reject) => {
    // More errors may follow; that a connection is lost later is seen as `closed`.
    client.once('ready', resolve).on('error', reject).connect(options);
  });
  const closed = new Promise<void>(resolve => client.once('close', () => resolve()));
  return {
    hostKey,
    closed,
    run: (command, runOptions) => execute(client, command, runOptions ?? {}),
    [Symbol.dispose]: () => client.end(),
  };
}

function execute(client: Client, command: string, options: RunOptions): Promise<Ended> {
  const { answers = [], closed = false, pty = false, deadline = patience } = options;
  return new Promise((resolve, reject) => {
    const ended: Ended = { code: null, stdout: '', stderr: '' };
    const timer = setTimeout(
      () => reject(new Error(`'${command}' went on for ${deadline} ms; it said: ${ended.stdout}${ended.stderr}`)),
      deadline,
    );
    client.exec(command, { pty: pty && { term: 'xterm' } }, (error, channel) => {
      if (error) {
        clearTimeout(timer);
        reject(error);
        return;
      }
      let heard = 0;
      let next = 0;
      const answer = () => {
        const [question, typed] = answers[next] ?? [];
        const at = question === undefined ? -1 : ended.stdout.indexOf(question, heard);
        if (question === undefined || at < 0) return;
        heard = at + question.length;
        next += 1;
        channel.write(`${typed}\n`);
        answer();
      };
      channel.setEncoding('utf8').on('data', (text: string) => {
        ended.stdout += text;
        answer();
      });
      channel.stderr.setEncoding('utf8').on('data', (text: string) => {
        ended.stderr += text;
      });
      channel.on('exit', (code: number | null) => {
        ended.code = code;
      });
      channel.on('close', () => {
        clearTimeout(timer);
        resolve(ended);
      });
      if (closed) channel.end();
    });
  });
}
