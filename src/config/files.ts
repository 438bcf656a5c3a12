import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TextDecoder } from 'node:util';
import type { Fault } from './fault.ts';
import type { Issue } from './problem.ts';
import { leafPaths, type Path, pathText } from './shape.ts';
import { valueAt } from './value.ts';

/**
 * The files that the configuration names, by the path of the key that does (`mqtt.ca_file`). They are read at start, so
 * that a wrong path is told at once and not at the first reconnect.
 */
export type NamedFiles = ReadonlyMap<string, string>;

/** By the last word of the key. */
const accepts: Readonly<Record<string, (content: string) => string | Fault>> = {
  password_file: secret,
  ca_file: certificate,
  cert_file: certificate,
  key_file: tlsKey,
  private_key_file: sshKey,
};

/** Relative paths are relative to `cwd`. */
export async function readNamedFiles(data: unknown, cwd: string): Promise<{ files: NamedFiles; issues: Issue[] }> {
  const files = new Map<string, string>();
  const issues: Issue[] = [];
  for (const path of leafPaths().flatMap(leaf => everywhere(data, leaf))) {
    const accept = accepts[String(path.at(-1))];
    const file = valueAt(data, path);
    if (!accept || typeof file !== 'string' || file === '') continue;
    const content = await readText(resolve(cwd, file));
    const accepted = typeof content === 'string' ? accept(content) : content;
    if (typeof accepted === 'string') files.set(pathText(path), accepted);
    else issues.push({ path, at: 'value', ...accepted });
  }
  return { files, issues };
}

/** The path in every entry of the lists it goes through. */
function everywhere(data: unknown, path: Path): Path[] {
  const list = path.indexOf(0);
  if (list < 0) return [path];
  const [before, after] = [path.slice(0, list), path.slice(list + 1)];
  const entries = valueAt(data, before);
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry, index) => everywhere(entry, after).map(rest => [...before, index, ...rest]));
}

/** UTF-8 without its byte order mark, or what is wrong with the file. */
export async function readText(file: string): Promise<string | Fault> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return unreadable(file, error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const utf16 = bytes[0] === 0xff || bytes[0] === 0xfe;
    return {
      message: `${file} is not UTF-8`,
      hint: utf16 ? 'it looks like UTF-16: save it as UTF-8' : 'save it as UTF-8',
    };
  }
}

function unreadable(file: string, error: unknown): Fault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  switch (code) {
    case 'ENOENT':
      return { message: `${file} does not exist`, hint: null };
    case 'EACCES':
    case 'EPERM':
      return {
        message: `${file} may not be read by this user`,
        hint: `uid ${process.getuid?.() ?? 'unknown'} needs permission`,
      };
    case 'EISDIR':
      return {
        message: `${file} is a directory`,
        hint: 'a container engine makes one when the file to mount does not exist on the host',
      };
    default:
      return { message: `${file} cannot be read (${code})`, hint: null };
  }
}

function secret(content: string): string | Fault {
  const value = content.replace(/\r?\n$/, '');
  return value || { message: 'the file is empty', hint: null };
}

function certificate(content: string): string | Fault {
  if (content.includes('-----BEGIN CERTIFICATE-----')) return content;
  return { message: 'the file holds no certificate', hint: 'expected PEM, with a line -----BEGIN CERTIFICATE-----' };
}

function tlsKey(content: string): string | Fault {
  return privateKey(content, /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/, 'PEM, with a line -----BEGIN PRIVATE KEY-----');
}

/** PKCS#8, the form of `BEGIN PRIVATE KEY`, is none of SSH. */
function sshKey(content: string): string | Fault {
  const form = /-----BEGIN (OPENSSH|RSA|DSA|EC) PRIVATE KEY-----/;
  return privateKey(content, form, 'what ssh-keygen makes, with a line -----BEGIN OPENSSH PRIVATE KEY-----');
}

function privateKey(content: string, form: RegExp, expected: string): string | Fault {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(content) || isLocked(content)) {
    return { message: 'keys with a passphrase are not supported', hint: null };
  }
  return form.test(content) ? content : { message: 'the file holds no private key', hint: `expected ${expected}` };
}

/** OpenSSH's own form begins with its name and a zero; then comes the cipher, after its length in four bytes. */
function isLocked(content: string): boolean {
  const [, body = ''] = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)/.exec(content) ?? [];
  const bytes = Buffer.from(body, 'base64').toString('latin1');
  return bytes.startsWith('openssh-key-v1\0') && bytes.slice(19, 23) !== 'none';
}
