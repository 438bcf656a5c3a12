import { createHash } from 'node:crypto';
import { addAbortListener } from 'node:events';
import type { ClientChannel } from 'ssh2';
import { cancelled, SshError } from './errors.ts';
import { quote } from './quote.ts';
import type { Shell } from './shell.ts';

/**
 * Small files through a shell and `cat`, for servers without SFTP. What arrives is compared by its length, and by its
 * SHA-256 where the server can tell it. A file is replaced by renaming, through a symbolic link, and keeps its mode.
 */

export interface TransferOptions {
  signal: AbortSignal;
  /** Bytes; default 1 MiB. */
  limit?: number;
  /** Milliseconds; default 30 s. */
  timeout?: number;
}

const defaultLimit = 2 ** 20;
/** Exit statuses of the scripts below, out of the way of those of a shell. */
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

export async function upload(shell: Shell, path: string, bytes: Uint8Array, options: TransferOptions): Promise<void> {
  const { limit = defaultLimit } = options;
  if (bytes.length > limit) throw new SshError('too_large', `${bytes.length} bytes are more than ${limit}`);
  const script = call(receive, path, `${bytes.length}`, sha256(bytes));
  const { status } = await transfer(shell, script, bytes, limit, options);
  if (status !== 0) throw failed(path, status);
}

export async function download(shell: Shell, path: string, options: TransferOptions): Promise<Buffer> {
  const { limit = defaultLimit } = options;
  const { status, content, remarks } = await transfer(shell, call(send, path, `${limit}`), null, limit, options);
  if (status === tooLarge) throw new SshError('too_large', `${path} has more than ${limit} bytes`);
  if (status !== 0) throw failed(path, status);
  const [, size, sum] = /size=(\d+) sha256=([0-9a-f]*)\./.exec(remarks) ?? [];
  if (Number(size) !== content.length || (sum !== '' && sum !== sha256(content))) throw failed(path, differs);
  return content;
}

interface Transferred {
  /** Null when a signal ended it, or nobody said how it ended. */
  status: number | null;
  content: Buffer;
  /** What came on stderr, its beginning. */
  remarks: string;
}

/** Characters of stderr. */
const heard = 4_096;

async function transfer(
  shell: Shell,
  script: string,
  stdin: Uint8Array | null,
  limit: number,
  { signal, timeout = 30_000 }: TransferOptions,
): Promise<Transferred> {
  const end = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<Transferred>();
  promise.catch(() => {});
  const giveUp = (error: SshError) => {
    reject(error);
    end.abort();
  };
  const cancel = () => giveUp(cancelled(signal));
  const timer = setTimeout(() => giveUp(new SshError('deadline', 'the file was not transferred in time')), timeout);
  using _ = addAbortListener(signal, cancel);
  if (signal.aborted) cancel();
  const begin = (channel: ClientChannel) => {
    const pieces: Buffer[] = [];
    let length = 0;
    let remarks = '';
    let status: number | null = null;
    channel.on('error', () => {});
    channel.on('exit', (code: number | null) => {
      status = code;
    });
    channel.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > limit) giveUp(new SshError('too_large', `more than ${limit} bytes`));
      else pieces.push(piece);
    });
    channel.stderr.on('data', (piece: Buffer) => {
      remarks = (remarks + piece.toString('latin1')).slice(0, heard);
    });
    channel.once('close', () => {
      if (status === null && shell.over) reject(new SshError('connection_lost', 'the connection broke'));
      else resolve({ status, content: Buffer.concat(pieces), remarks });
    });
    end.signal.addEventListener('abort', () => channel.close(), { once: true });
    if (stdin) channel.end(stdin);
  };
  try {
    await Promise.race([shell.exec(script, { signal: end.signal }, begin), promise]);
    return await promise;
  } finally {
    end.abort();
    clearTimeout(timer);
  }
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
