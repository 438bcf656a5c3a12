/** The other end of the bridge's control socket: see `bridge/control.ts` for what is said. */
import { connect, type Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';

export type ControlFailure =
  /** No bridge listens there: the command was not given. */
  | 'absent'
  /** One does, but this user may not speak to it: the command was not given. */
  | 'forbidden'
  /** No answer in time, as from a bridge that is frozen: it may still carry it out. */
  | 'silent'
  /** The connection ended before the final answer: it may still carry it out. */
  | 'lost';

export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: ControlFailure;

  constructor(code: ControlFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface AskOptions {
  /** Until the first answer, milliseconds. The next ones may take as long as the command does. */
  patience: number;
  signal?: AbortSignal;
}

/** Bytes: of a socket's path, and of an answer. */
const LONGEST_PATH = 107;
const LONGEST_ANSWER = 1 << 20;

/**
 * Gives the running bridge a command and yields its answers, up to the final one. Throws `ControlError`, or the
 * signal's reason. To stop listening does not take the command back.
 */
export async function* askControl(
  path: string,
  vm: string,
  payload: string,
  { patience, signal }: AskOptions,
): AsyncGenerator<object, void> {
  signal?.throwIfAborted();
  // Such a path would be cut off, and might then be another socket's.
  if (Buffer.byteLength(path) > LONGEST_PATH) throw new ControlError('absent', `${path} is too long for a socket`);
  const socket = connect(path);
  if (signal) addAbortSignal(signal, socket);
  let connected = false;
  socket.once('connect', () => {
    connected = true;
  });
  const silent = new ControlError('silent', `the bridge does not answer within ${patience / 1_000} s`);
  const timer = setTimeout(() => socket.destroy(silent), patience);
  socket.write(`${JSON.stringify({ vm, payload })}\n`);
  try {
    for await (const { final, response } of answers(socket)) {
      clearTimeout(timer);
      yield response;
      if (final) return;
    }
    throw new ControlError('lost', 'the bridge ended the connection before its last word');
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw error instanceof ControlError ? error : explain(path, error as NodeJS.ErrnoException, connected);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

interface Answer {
  final: boolean;
  response: object;
}

async function* answers(socket: Socket): AsyncGenerator<Answer, void> {
  socket.setEncoding('utf8');
  let rest = '';
  for await (const chunk of socket) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield readAnswer(line);
    if (rest.length > LONGEST_ANSWER) throw new ControlError('lost', 'what came is too long to be an answer');
  }
}

function readAnswer(line: string): Answer {
  try {
    const { final, response } = JSON.parse(line) as { final?: unknown; response?: unknown };
    if (typeof final === 'boolean' && typeof response === 'object' && response) return { final, response };
  } catch {
    // Said below.
  }
  throw new ControlError('lost', 'what came is not an answer of a bridge');
}

function explain(path: string, error: NodeJS.ErrnoException, connected: boolean): ControlError {
  const { code, message } = error;
  if (connected) return new ControlError('lost', `the connection to the bridge broke: ${message}`, error);
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new ControlError('absent', `no bridge listens at ${path}`, error);
    case 'EACCES':
    case 'EPERM':
      return new ControlError('forbidden', `${path}: permission denied: run this as the bridge's user`, error);
    // The line of those that it should let in is full.
    case 'EAGAIN':
      return new ControlError('silent', `the bridge at ${path} lets nobody in`, error);
    default:
      return new ControlError('absent', `${path}: ${message}`, error);
  }
}
