import { randomUUID } from 'node:crypto';
import type { Libvirt } from '../libvirt/client.ts';
import { errorCode, isLibvirtError, TimeoutError } from '../libvirt/errors.ts';
import { shutdownFlag } from '../libvirt/flags.ts';
import type { Permission } from '../libvirt/permissions.ts';
import type { VolumeRef } from '../libvirt/structs.ts';
import { readState } from '../vm/read.ts';
import type { Target } from '../vm/watch.ts';

/**
 * Asks the running libvirt whether a right is there, with calls that have no effect: libvirt looks at the permission
 * before the state of the domain, but after the flags. So a call is made only while the domain's state refuses it.
 */

export interface Subject extends Pick<Target, 'ref' | 'domain'> {
  volume: VolumeRef | null;
}

/** `unasked`: a call for it would have its effect, now or always. */
export type Answer = 'allowed' | 'refused' | 'unasked';

interface Question {
  /** Whether the domain must run, or be off. */
  while: 'running' | 'off' | 'either';
  /** Null: this subject has nothing to ask with. */
  ask: (client: Libvirt, subject: Subject, call: { timeout: number }) => Promise<unknown> | null;
}

const questions: Readonly<Partial<Record<Permission, Question>>> = {
  'domain.start': { while: 'running', ask: (client, { ref }, call) => client.start(ref, call) },
  'domain.init-control': {
    while: 'off',
    ask: (client, { ref }, call) => client.shutdown(ref, shutdownFlag.acpi, call),
  },
  'domain.stop': { while: 'off', ask: (client, { ref }, call) => client.destroy(ref, 0, call) },
  'domain.reset': { while: 'off', ask: (client, { ref }, call) => client.reset(ref, call) },
  'domain.suspend': { while: 'either', ask: (client, { ref }, call) => client.resume(ref, call) },
  'domain.pm-control': { while: 'either', ask: (client, { ref }, call) => client.wakeUp(ref, call) },
  'domain.send-input': { while: 'off', ask: (client, { ref }, call) => client.sendKeys(ref, [1], call) },
  'domain.screenshot': {
    while: 'either',
    ask: (client, { ref }, call) => client.screenshot(ref, { screen: 9_999, ...call }),
  },
  'domain.open-device': {
    while: 'either',
    ask: (client, { ref }, call) => client.console(ref, () => {}, { device: 'none-of-this-name', ...call }),
  },
  // As it is already.
  'domain.write': {
    while: 'either',
    ask: (client, { ref, domain: { autostart } }, call) =>
      autostart === null ? null : client.setAutostart(ref, autostart, call),
  },
  'storage-vol.data-read': {
    while: 'either',
    ask: ({ storage }, { volume }, call) => volume && storage.download(volume, { offset: 0, length: 1 }, call),
  },
  // Behind the end of what any file system can have, and not a byte.
  'storage-vol.data-write': {
    while: 'either',
    ask: ({ storage }, { volume }, call) =>
      volume && storage.upload(volume, { offset: Number.MAX_SAFE_INTEGER, length: 1 }, [], call),
  },
  'storage-pool.start': { while: 'either', ask: nowhere },
  'storage-pool.write': { while: 'either', ask: nowhere },
};

/** A pool of a folder that is not there: libvirt forgets it again. */
function nowhere({ storage }: Libvirt, _: Subject, call: { timeout: number }): Promise<unknown> {
  const xml = `<pool type='dir'><name>dsm2mqtt-${randomUUID()}</name><target><path>/none/of/this/name</path></target></pool>`;
  return storage.createPool(xml, call).then(pool => storage.destroyPool(pool, call));
}

/** Milliseconds. */
const timeout = 5_000;
/** With these libvirt has got past the permission. */
const done: readonly number[] = [1, 9, 38, errorCode.operationInvalid];

/** Rejects as libvirt's calls do, if the connection is lost. */
export async function ask(client: Libvirt, subject: Subject, permission: Permission): Promise<Answer> {
  const question = questions[permission];
  if (!question) return 'unasked';
  const now = await readState(client, subject.ref.uuid, null, { timeout });
  const fits = { running: now?.state === 'running', off: now?.active === false };
  if (!(question.while === 'either' ? fits.running || fits.off : fits[question.while])) return 'unasked';
  try {
    return (await question.ask(client, subject, { timeout })) === null ? 'unasked' : 'allowed';
  } catch (error) {
    if (isLibvirtError(error, errorCode.accessDenied)) return 'refused';
    if (isLibvirtError(error)) return done.includes(error.code) ? 'allowed' : 'unasked';
    // Of a QEMU that hangs, nothing is known.
    if (error instanceof TimeoutError) return 'unasked';
    if (error instanceof RangeError) return 'allowed';
    throw error;
  }
}
