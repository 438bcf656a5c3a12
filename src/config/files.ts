import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TextDecoder } from 'node:util';
import type { Issue } from './problem.ts';
import { valueAt } from './value.ts';

/** The files that the configuration names: read at start, so that a wrong path is told at once and not at the first reconnect. */
export interface NamedFiles {
  password: string | null;
  ca: string | null;
  cert: string | null;
  key: string | null;
}

/** Relative paths are relative to `cwd`. */
export async function readNamedFiles(data: unknown, cwd: string): Promise<{ files: NamedFiles; issues: Issue[] }> {
  const issues: Issue[] = [];
  const read = async (key: string, accept: (content: string) => string | Fault): Promise<string | null> => {
    const file = valueAt(data, ['mqtt', key]);
    if (typeof file !== 'string' || file === '') return null;
    const content = await readText(resolve(cwd, file));
    const accepted = typeof content === 'string' ? accept(content) : content;
    if (typeof accepted === 'string') return accepted;
    issues.push({ path: ['mqtt', key], at: 'value', ...accepted });
    return null;
  };
  const files = {
    password: await read('password_file', secret),
    ca: await read('ca_file', certificate),
    cert: await read('cert_file', certificate),
    key: await read('key_file', privateKey),
  };
  return { files, issues };
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

interface Fault {
  message: string;
  hint: string | null;
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

function privateKey(content: string): string | Fault {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(content)) {
    return { message: 'keys with a passphrase are not supported', hint: null };
  }
  if (/-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/.test(content)) return content;
  return { message: 'the file holds no private key', hint: 'expected PEM, with a line -----BEGIN PRIVATE KEY-----' };
}
