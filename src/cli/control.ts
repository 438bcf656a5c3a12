import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { longestPath } from '../servers/server.ts';

/** The other end of the bridge's control socket: see `servers/control.ts` for what is said. */

export interface AskOptions {
  /** Until the first answer, milliseconds. The next ones may take as long as the command does. */
  patience: number;
  /** What is asked; default: a command. */
  what?: 'boot';
  signal?: AbortSignal;
}

/** Bytes. */
const longestAnswer = 1 << 20;

/**
 * Gives the running bridge a command and yields its answers, up to the final one. Throws an `Error` that says why there
 * is none, or the signal's reason. To stop listening does not take the command back.
 */
export async function* askControl(
  path: string,
  vm: string,
  payload: string,
  { patience, what, signal }: AskOptions,
): AsyncGenerator<object, void> {
  signal?.throwIfAborted();
  if (Buffer.byteLength(path) > longestPath) throw new Error(`no bridge listens at ${path}: the path is too long`);
  const query = new URLSearchParams({ vm });
  const asking = request({
    socketPath: path,
    path: `/${what ?? 'command'}?${query}`,
    method: 'POST',
    agent: false,
    signal,
  });
  // After the response has begun, an error of the connection comes here as well, and must not end the process.
  asking.on('error', () => {});
  const silent = new Error(`the bridge does not answer within ${patience / 1_000} s`);
  const timer = setTimeout(() => asking.destroy(silent), patience);
  try {
    asking.end(payload);
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    for await (const answer of answers(response)) {
      clearTimeout(timer);
      yield answer;
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw error === silent ? silent : explain(path, error as NodeJS.ErrnoException);
  } finally {
    clearTimeout(timer);
    asking.destroy();
  }
}

/** Each on a line. */
async function* answers(response: IncomingMessage): AsyncGenerator<object, void> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield readAnswer(line);
    if (rest.length > longestAnswer) throw new Error('what came is too long to be an answer');
  }
  if (rest !== '') yield readAnswer(rest);
}

function readAnswer(line: string): object {
  const answer: unknown = JSON.parse(line);
  if (typeof answer === 'object' && answer !== null) return answer;
  throw new Error('what came is not an answer of a bridge');
}

function explain(path: string, error: NodeJS.ErrnoException): Error {
  const { code, syscall, message } = error;
  const because = (text: string) => new Error(text, { cause: error });
  if (syscall !== 'connect') return because(`the connection to the bridge broke before its last answer: ${message}`);
  if (code === 'EACCES' || code === 'EPERM') {
    return because(`${path}: permission denied: run this as the bridge's user`);
  }
  // The socket's queue is full.
  if (code === 'EAGAIN') return because(`the bridge at ${path} lets nobody in`);
  return because(`no bridge listens at ${path}: ${message}`);
}
