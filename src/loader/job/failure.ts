import { NotOff } from '../../commands/vm-power.ts';
import { ConnectError, ConnectionLost, isLibvirtError, TimeoutError } from '../../libvirt/errors.ts';
import type { Outcome } from '../../model/codes.ts';
import { CommandError, SshError, type SshErrorCode } from '../../ssh/errors.ts';
import { type ImageError, type ImageErrorCode, isImageError } from '../image/errors.ts';

/** Why a rebuild or rollback does not go on: a code for machines, a sentence for people, and what they can do. */
export class LoaderFailure extends Error {
  override name = 'LoaderFailure';
  readonly code: string;
  readonly advice: string | null;

  constructor(code: string, message: string, advice: string | null = null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.advice = advice;
  }
}

/** Somebody asked for its end. */
export class Cancelled extends Error {
  override name = 'Cancelled';
}

/** The bridge itself ends: what is under way stays as it is, and the next one tells of it. */
export class Closing extends Error {
  override name = 'Closing';
}

export function failureOf({ code, message }: Outcome, what: string): LoaderFailure {
  return new LoaderFailure(code, `${what}: ${message}.`);
}

/** The journal: then nothing may be done that it would tell of. `folder`: where it is; empty: people know. */
export function unwritable(folder: string, error: unknown): LoaderFailure {
  const { message } = error as Error;
  const where = folder === '' ? 'The journal' : `The journal in ${folder}`;
  return new LoaderFailure(
    'journal',
    `${where} cannot be written: ${message}.`,
    'Make `data_dir` writable, with some room.',
    { cause: error },
  );
}

/** What was thrown, as a failure; what nobody foresaw keeps its message, for it is a fault of our own. */
export function explain(error: unknown): LoaderFailure {
  if (error instanceof LoaderFailure) return error;
  if (error instanceof NotOff) return new LoaderFailure(error.code, error.message, error.advice, { cause: error });
  if (error instanceof CommandError && error.prompt) {
    const known = error.prompt.name === null ? '' : ', once too often';
    const message = `The loader asks what has no answer here${known}: “${error.prompt.text}”`;
    return new LoaderFailure('ssh_unknown_prompt', message, sshAdvice.unknown_prompt ?? null, { cause: error });
  }
  if (error instanceof CommandError && error.stall) return stalled(error, error.stall);
  if (error instanceof SshError) {
    return new LoaderFailure(`ssh_${error.code}`, sentence(error.message), sshAdvice[error.code] ?? null, {
      cause: error,
    });
  }
  if (isAway(error) || (isImageError(error) && isAway(error.cause))) {
    return new LoaderFailure('libvirt_unavailable', sentence(error.message), null, { cause: error });
  }
  if (isImageError(error)) return imageFailure(error);
  if (isLibvirtError(error)) return new LoaderFailure('libvirt_error', sentence(error.message), null, { cause: error });
  const { message } = error instanceof Error ? error : new Error(String(error));
  return new LoaderFailure('internal', `Something that nobody foresaw: ${message}`, null, { cause: error });
}

/** Its words may hold what must not be said; whoever tells it hides that. */
function stalled(error: CommandError, { stands, host }: NonNullable<CommandError['stall']>): LoaderFailure {
  const at = stands === null ? '' : `; it stands at ${stands}`;
  const named = host === null ? '' : ` The last server that it named is ${host}.`;
  const look = host === null ? '' : `Check that the guest reaches ${host}. `;
  const message = `${sentence(`${error.message}${at}`)}${named}`;
  return new LoaderFailure(`ssh_${error.code}`, message, look + (sshAdvice.silent ?? ''), { cause: error });
}

function isAway(error: unknown): error is Error {
  return error instanceof ConnectError || error instanceof ConnectionLost || error instanceof TimeoutError;
}

function imageFailure(error: ImageError): LoaderFailure {
  return new LoaderFailure(`image_${error.code}`, sentence(error.message), imageAdvice[error.code] ?? null, {
    cause: error,
  });
}

const sshAdvice: Readonly<Partial<Record<SshErrorCode, string>>> = {
  unreachable: "Look at the VM's screen: whether the image builder is up, and has an address.",
  timed_out: "Look at the VM's screen: whether the image builder is up, and has an address.",
  authentication_failed: 'Correct `ssh.user` and `ssh.password_file`, or `ssh.private_key_file`.',
  host_key_mismatch: 'Correct `ssh.host_key`, or leave it out: the image builder may make a new key at each boot.',
  silent: 'Read the last lines of its output; a download may hang.',
  deadline: 'Read the last lines of its output.',
  unknown_prompt: 'Run that step by hand once, or tell the makers of dsm2mqtt of it.',
  connection_lost: "Look at the VM's screen: it may have rebooted, or run out of memory.",
  outcome_unknown: "Look at the VM's screen: it may have run out of memory.",
};

const imageAdvice: Readonly<Partial<Record<ImageErrorCode, string>>> = {
  no_space: 'Make room in `backup_dir`, or keep fewer backups.',
  no_pool: 'Make a storage pool there, set `transient_pool: true`, or mount the image and set `image` to its path.',
  no_storage_driver: "Install libvirt's storage driver, or mount the image and set `image` to its path.",
  mismatch: 'Nothing else may write to the image meanwhile; `rollback` puts the copy back.',
  bad_backup: 'Choose another backup by hand: each is a whole image.',
  no_entry: 'Begin with a fresh image of the loader.',
  no_mtools: 'Install mtools beside the bridge.',
};

/** `libvirt says no` as `Libvirt says no.`, but not so of a path. */
function sentence(text: string): string {
  const first = text.startsWith('/') ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?”]$/.test(first) ? first : `${first}.`;
}
