import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isLocal } from '../../app/host/libvirt.ts';
import type { HostConfig } from '../../config/config.ts';
import { type Copy, type Kept, keepCopy, lookAtDefinition, sameNvram } from '../../definition/copies.ts';
import { type Change, changesOf, valuesOf } from '../../definition/diff.ts';
import { putNvramBack, strangeDisks, withPasswords } from '../../definition/restore.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { unlessRefused } from '../../libvirt/errors.ts';
import type { Watch } from '../../vm/watch.ts';
import { findVm } from '../command.ts';
import { placeOf, withDomains } from '../domains.ts';
import { anonymizeXml } from '../dump/anonymize-xml.ts';
import { agrees, type ExitCode, exitCode, print, Refusal, type Takes } from '../terminal.ts';

export interface DefinitionOptions extends Takes<'vm' | 'json' | 'yes' | 'stdin' | 'signal'> {
  config: Pick<HostConfig, 'libvirt' | 'vms' | 'dataDir'>;
  /** `list`, `show`, `diff` or `restore`. */
  what: string;
  /** Numbers of copies. */
  copy?: string | undefined;
  other?: string | undefined;
  /** Of `restore`: the NVRAM too. */
  nvram: boolean;
}

/** What differs, with its values unless they are secrets or serial numbers. */
export function compared(was: string, is: string): Change[] {
  const [before, after, toldBefore, toldAfter] = [was, is, anonymizeXml(was), anonymizeXml(is)].map(valuesOf);
  if (!before || !after) throw new Refusal(exitCode.failed, 'One of them is no definition of a domain.');
  return changesOf(before, after).map(({ path, was, is }) => {
    return { path, was: was && (toldBefore?.get(path) ?? '[hidden]'), is: is && (toldAfter?.get(path) ?? '[hidden]') };
  });
}

export function linesOf(changes: readonly Change[]): string[] {
  return changes.map(({ path, was, is }) => {
    if (was === null) return `  + ${path}: ${is}`;
    return is === null ? `  - ${path}: ${was}` : `    ${path}: ${was} → ${is === was ? `another ${is}` : is}`;
  });
}

/** Brings a copy back: looks, tells, asks, keeps the present definition, and defines. Throws `Refusal`. */
export async function restore(options: DefinitionOptions, copy: Copy): Promise<ExitCode> {
  const { config, vm, yes, stdin, signal } = options;
  const { libvirt } = config;
  if (libvirt.readOnly)
    throw new Refusal(exitCode.failed, `${placeOf(libvirt)}: read_only is set, so nothing can be defined.`);
  if (!yes && !stdin.isTTY) throw new Refusal(exitCode.usage, 'there is no terminal to ask at: say --yes');
  const only = { libvirt, vms: [findVm(config, vm)] };
  return withDomains(only, (client, watch) => bringBack(options, copy, client, watch), signal);
}

async function bringBack(options: DefinitionOptions, copy: Copy, client: Libvirt, watch: Watch): Promise<ExitCode> {
  const { config, yes, nvram, stdin, stderr, signal } = options;
  const { key, label } = findVm(config, options.vm);
  const { number } = copy;
  const local = isLocal(config.libvirt, await client.hostname({ signal }));
  const now = await presentOf(key, copy, client, watch);
  const seen = now && (await lookAtDefinition(now.xml, local));
  const changes = seen ? compared(seen.xml, copy.xml) : [];
  if (seen && changes.length === 0 && !(nvram && !sameNvram(seen, copy)))
    refuse(`${label} is already as in copy ${number}.`);
  if (nvram) await mustTakeNvram(copy, seen, local);
  const strange = local ? await strangeDisks(copy, path => isThere(path, client)) : [];
  if (strange.length > 0)
    refuse([...strange, `\`definition ${key} show ${number}\` prints it all the same.`].join('\n'));

  const { xml, open } = withPasswords(copy.xml, now?.secure ?? null);
  const remarks = [
    ...(now ? [] : ['libvirt has no such domain: it is made again.']),
    ...open.map(path => `If ${path} had a password then, it does not come back: libvirt hides it in a copy.`),
    ...(copy.nvram && !nvram ? ['The NVRAM stays as it is; --nvram brings back that of the copy.'] : []),
    ...(local ? [] : ['libvirt runs on another machine: whether the disks are those of then cannot be seen.']),
  ];
  stderr.write(`${[`Copy ${number} of ${label}:`, ...linesOf(changes), ...remarks].join('\n')}\n`);
  if (!yes && !(await agrees(`${label}: bring this back now? [y/N] `, stdin, stderr, signal)))
    refuse('Nothing was done.');

  if (!isDeepStrictEqual(await presentOf(key, copy, client, watch), now))
    refuse('The definition has changed meanwhile. Nothing was done.');
  if (seen) {
    await keepCopy(config.dataDir, key, seen, { nvram }).catch((error: Error) => {
      refuse(`Nothing was done, because the present definition cannot be kept: ${error.message}`);
    });
  }
  const ref = await client.define(xml);
  const left = compared(copy.xml, await client.xml(ref, { inactive: true })).map(({ path }) => path);
  if (nvram) {
    await putNvramBack(copy).catch((error: Error) => {
      refuse(`The definition is brought back, but not its NVRAM: ${error.message}`);
    });
  }
  const result = { restored: number, nvram, open, different: left };
  const but = left.length > 0 ? ` libvirt has made something else of ${left.join(', ')}.` : '';
  print(options, result, `${label} is as in copy ${number}.${but}`, 0);
  return exitCode.succeeded;
}

/** Null: there is no such domain, and the copy makes it again. Throws `Refusal` if it is on, or another one. */
async function presentOf(key: string, { uuid, number }: Copy, client: Libvirt, watch: Watch) {
  await watch.hint(key);
  const target = watch.target(key);
  if (!target) return null;
  const { ref, domain } = target;
  if (ref.uuid !== uuid) refuse(`Copy ${number} is of another domain: its UUID is not that of ${ref.name}.`);
  if (domain.active) refuse(`${ref.name} is not off: a definition is brought back only while it is.`);
  const withSecrets = client.xml(ref, { inactive: true, secure: true });
  const [xml, secure] = await Promise.all([client.xml(ref, { inactive: true }), unlessRefused(withSecrets, null)]);
  return { xml, secure };
}

async function mustTakeNvram({ number, nvram }: Copy, now: Kept | null, local: boolean): Promise<void> {
  if (!nvram?.bytes) refuse(`Copy ${number} has no NVRAM: ${nvram?.why ?? 'its definition has none'}.`);
  if (!local) refuse('libvirt runs on another machine: the NVRAM cannot be written from here.');
  const { path } = nvram;
  const there = await stat(path).catch(() => null);
  const kept = now?.nvram?.path === path && now.nvram.bytes !== null;
  if (there && !kept) refuse(`${path} is there, and no copy of it can be kept: move it away first.`);
  await access(there ? path : dirname(path), constants.W_OK).catch((error: Error) => {
    refuse(`The NVRAM cannot be written: ${error.message}`);
  });
}

/** To this process, or to one of libvirt's pools: a container may not have its folder. */
async function isThere(path: string, client: Libvirt): Promise<boolean> {
  if (await stat(path).catch(() => null)) return true;
  return (await unlessRefused(client.storage.volumeByPath(path), null)) !== null;
}

function refuse(message: string): never {
  throw new Refusal(exitCode.failed, message);
}
