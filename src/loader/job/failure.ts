import { NotOff } from '../../commands/vm-power.ts';
import { ConnectError, ConnectionLost, isLibvirtError, TimeoutError } from '../../libvirt/errors.ts';
import type { Outcome } from '../../model/codes.ts';
import { CommandError, SshError, type SshErrorCode } from '../../ssh/errors.ts';
import { type ImageErrorCode, isImageError } from '../image/image.ts';

/** Why a rebuild or rollback ended: a code for machines, a sentence for people, and what they can do. */
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

/** It cannot work: nothing was changed. */
export class Refused extends LoaderFailure {
  override name = 'Refused';
}

/**
 * A run belongs to one domain, and its backup to one image. If the VM's name or the path leads to another one now, the
 * run writes nothing, and starts or stops no VM.
 */
export class NotOurs extends LoaderFailure {
  override name = 'NotOurs';

  constructor(code: string, message: string, backup: string | null) {
    const byHand =
      'If that backup is the right one all the same, restore it by hand, with the VM off: `cp --sparse=always FILE IMAGE`.';
    super(code, message, backup && byHand.replace('FILE', () => backup));
  }
}

export class Cancelled extends Error {
  override name = 'Cancelled';
}

/** The bridge stops. It leaves the VM as it is, and the next bridge reports that. */
export class Closing extends Error {
  override name = 'Closing';
}

/** Throws `LoaderFailure` for every other outcome; `what`: what did not work. */
export function mustSucceed({ status, code, message }: Outcome, what: string, advice: string | null = null): void {
  if (status !== 'succeeded') throw new LoaderFailure(code, `${what}: ${message}.`, advice);
}

/** The journal cannot be written, so the run must not go on. `folder`: names it in the message, if given. */
export function unwritable(folder: string, cause: unknown): LoaderFailure {
  const message = `The journal${folder && ` in ${folder}`} cannot be written: ${(cause as Error).message}.`;
  return new LoaderFailure('journal', message, 'Make `data_dir` writable, with some free space.', { cause });
}

/** Turns anything thrown into a failure. An unknown error is a bug of ours, and keeps its message. */
export function explain(cause: unknown): LoaderFailure {
  if (cause instanceof LoaderFailure) return cause;
  const failure = (code: string, message: string, advice: string | null = null) =>
    new LoaderFailure(code, message, advice, { cause });
  if (cause instanceof NotOff) return failure(cause.code, cause.message, cause.advice);
  if (cause instanceof SshError) return failure(`ssh_${cause.code}`, ...sshWords(cause));
  if (isAway(cause) || (isImageError(cause) && isAway(cause.cause))) {
    return failure('libvirt_unavailable', sentence(cause.message));
  }
  if (isImageError(cause)) return failure(`image_${cause.code}`, sentence(cause.message), imageAdvice[cause.code]);
  if (isLibvirtError(cause)) return failure('libvirt_error', sentence(cause.message));
  const { message } = cause instanceof Error ? cause : new Error(String(cause));
  return failure('internal', `Something that nobody foresaw: ${message}`);
}

/** A sentence, and what people can do. It may contain secrets: the run log redacts it. */
function sshWords(error: SshError): [message: string, advice: string | null] {
  const advice = sshAdvice[error.code] ?? null;
  const { prompt = null, stall = null } = error instanceof CommandError ? error : {};
  if (prompt) {
    const known = prompt.name === null ? '' : ', once too often';
    return [`The loader asks what has no answer here${known}: “${prompt.text}”`, advice];
  }
  if (!stall) return [sentence(error.message), advice];
  const { stands, host } = stall;
  const at = stands === null ? '' : `; it stands at ${stands}`;
  const message = sentence(`${error.message}${at}`);
  if (host === null) return [message, advice];
  return [`${message} The last server that it named is ${host}.`, `Check that the guest reaches ${host}. ${advice}`];
}

function isAway(error: unknown): error is Error {
  return error instanceof ConnectError || error instanceof ConnectionLost || error instanceof TimeoutError;
}

const noBuilder = "Look at the VM's screen: whether the image builder is up, and has an address.";
const sshAdvice: Readonly<Partial<Record<SshErrorCode, string>>> = {
  unreachable: noBuilder,
  timed_out: noBuilder,
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
  mismatch: 'Nothing else may write to the image meanwhile; `rollback` restores the backup.',
  bad_backup: 'Choose another backup by hand: each is a whole image.',
  no_entry: 'Begin with a fresh image of the loader.',
  no_mtools: 'Install mtools beside the bridge.',
};

/** Makes `libvirt says no` `Libvirt says no.`, but keeps a path at its start. */
function sentence(text: string): string {
  const first = text.startsWith('/') ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?\u201d]$/.test(first) ? first : `${first}.`;
}
