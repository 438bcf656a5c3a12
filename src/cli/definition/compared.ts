import type { HostConfig } from '../../config/hosts.ts';
import { type Change, changesOf, valuesOf } from '../../definition/diff.ts';
import { anonymizeXml } from '../dump/anonymize-xml.ts';
import { exitCode, Refusal } from '../outcome.ts';
import type { Input, Output } from '../terminal.ts';

export interface DefinitionOptions extends Output {
  config: Pick<HostConfig, 'libvirt' | 'vms' | 'dataDir'>;
  /** Key or name. */
  vm: string;
  /** `list`, `show`, `diff` or `restore`. */
  what: string;
  /** Numbers of copies. */
  copy?: string | undefined;
  other?: string | undefined;
  json: boolean;
  /** Of `restore`: without asking. */
  yes: boolean;
  /** Of `restore`: the NVRAM too. */
  nvram: boolean;
  stdin: Input;
  signal: AbortSignal;
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
