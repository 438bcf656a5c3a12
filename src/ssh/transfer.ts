import { createHash } from 'node:crypto';
import type { ClientChannel } from 'ssh2';
import { cancelled, SshError } from './errors.ts';
import { quote } from './quote.ts';
import type { SshSession } from './session.ts';

/**
 * Transfers small files through a shell and `cat`, for servers without SFTP. It compares the length, and the SHA-256 if
 * the server can compute it. It replaces a file by renaming, follows a symbolic link, and keeps the file's mode.
 */

export interface TransferOptions {
  signal: AbortSignal;
  /** Bytes; default 1 MiB. */
  limit?: number;
  /** Milliseconds; default 30 s. */
  timeout?: number;
}

const defaultLimit = 2 ** 20;
/** Exit statuses of the scripts below; a shell uses others. */
const differs = 90;
const tooLarge = 91;
const missing = 92;

/** $1 is the path, $2 the length, $3 the SHA-256. */
const receive = `f=$1
if [ -L "$f" ]; then f=$(readlink -f "$f") || exit; fi
t=$f.partial
trap 'rm -f "$t"' EXIT
trap 'exit 1' HUP INT TERM
if [ -e "$f" ]; then cp -p "$f" "$t" || exit; fi
cat >"$t" || exit
[ "$(wc -c <"$t")" -eq "$2" ] || exit ${differs}
if command -v sha256sum >/dev/null; then s=$(sha256sum <"$t"); [ "\${s%% *}" = "$3" ] || exit ${differs}; fi
mv -f "$t" "$f"`;

/** $1 is the path, $2 the limit. stdout is the file alone. */
const send = `[ -e "$1" ] || exit ${missing}
n=$(wc -c <"$1") || exit
[ "$n" -le "$2" ] || exit ${tooLarge}
if command -v sha256sum >/dev/null; then s=$(sha256sum <"$1"); fi
echo "size=$((n)) sha256=\${s%% *}." >&2
exec cat <"$1"`;

export async function upload(
  session: SshSession,
  path: string,
  bytes: Uint8Array,
  { limit = defaultLimit, ...options }: TransferOptions,
): Promise<void> {
  if (bytes.length > limit) throw new SshError('too_large', `${bytes.length} bytes are more than ${limit}`);
  const script = call(receive, path, `${bytes.length}`, sha256(bytes));
  const { status } = await exchange(session, script, { ...options, limit, stdin: bytes });
  if (status !== 0) throw failed(path, status);
}

export async function download(
  session: SshSession,
  path: string,
  { limit = defaultLimit, ...options }: TransferOptions,
): Promise<Buffer> {
  const script = call(send, path, `${limit}`);
  const { status, content, remarks } = await exchange(session, script, { ...options, limit });
  if (status === tooLarge) throw new SshError('too_large', `${path} has more than ${limit} bytes`);
  if (status !== 0) throw failed(path, status);
  const [, size, sum] = /size=(\d+) sha256=([0-9a-f]*)\./.exec(remarks) ?? [];
  if (Number(size) !== content.length || (sum !== '' && sum !== sha256(content))) throw failed(path, differs);
  return content;
}

interface Exchange {
  /** Null: a signal ended it, or its end is not known. */
  status: number | null;
  content: Buffer;
  remarks: string;
}

const heard = 4_096;

/** Runs a script with all of its input, and takes all of its output. Rejects with `SshError`. */
export async function exchange(
  session: SshSession,
  script: string,
  { stdin, limit = defaultLimit, signal, timeout = 30_000 }: TransferOptions & { stdin?: Uint8Array },
): Promise<Exchange> {
  const over = new AbortController();
  const late = AbortSignal.timeout(timeout);
  const begin = async (channel: ClientChannel): Promise<Exchange> => {
    const taken = collect(channel, limit);
    if (stdin) channel.end(stdin);
    const exchanged = await taken;
    if (exchanged.status === null && session.over) throw new SshError('connection_lost', 'the connection broke');
    return exchanged;
  };
  try {
    return await session.exec(script, AbortSignal.any([signal, late, over.signal]), begin);
  } catch (error) {
    if (signal.aborted) throw cancelled(signal);
    if (late.aborted) throw new SshError('deadline', 'the file was not transferred in time');
    throw error;
  } finally {
    over.abort();
  }
}

function collect(channel: ClientChannel, limit: number): Promise<Exchange> {
  const { promise, resolve, reject } = Promise.withResolvers<Exchange>();
  const pieces: Buffer[] = [];
  let [length, remarks] = [0, ''];
  let status: number | null = null;
  // Writing to a command that has just ended.
  channel.on('error', () => {});
  channel.on('exit', (code: number | null) => {
    status = code;
  });
  channel.on('data', (piece: Buffer) => {
    length += piece.length;
    if (length > limit) reject(new SshError('too_large', `more than ${limit} bytes`));
    else pieces.push(piece);
  });
  channel.stderr.on('data', (piece: Buffer) => {
    remarks = (remarks + piece.toString('latin1')).slice(0, heard);
  });
  channel.once('close', () => resolve({ status, content: Buffer.concat(pieces), remarks }));
  return promise;
}

function call(script: string, ...words: string[]): string {
  return ['exec /bin/sh -c', ...[script, 'sh', ...words].map(quote)].join(' ');
}

function failed(path: string, status: number | null): SshError {
  if (status === missing) return new SshError('transfer', `there is no file ${path}`);
  if (status === differs) return new SshError('transfer', `${path} did not arrive as it was sent`);
  return new SshError('transfer', `${path} was not transferred: status ${status ?? 'unknown'}`);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
