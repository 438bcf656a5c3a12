import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { TextDecoder } from 'node:util';
import type { Fault } from './problem.ts';

/** Reads a file named in the configuration: returns its usable content, or what is wrong with it. */
export type Content = (content: string) => string | Fault;

/** Bytes. A file that never ends, such as /dev/zero, is wrong as well. */
const mostBytes = 2 ** 20;

/** UTF-8 without its byte order mark, or what is wrong with the file. */
export async function readText(file: string): Promise<string | Fault> {
  let bytes: Buffer;
  try {
    bytes = await buffer(createReadStream(file, { end: mostBytes }));
  } catch (error) {
    return unreadable(file, (error as NodeJS.ErrnoException).code ?? 'unknown');
  }
  if (bytes.length > mostBytes) return { message: `${file} has more than 1 MiB`, hint: null };
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const utf16 = bytes[0] === 0xff || bytes[0] === 0xfe;
    return { message: `${file} is not UTF-8`, hint: `${utf16 ? 'it looks like UTF-16: ' : ''}save it as UTF-8` };
  }
}

function unreadable(file: string, code: string): Fault {
  const uid = `uid ${process.getuid?.() ?? 'unknown'} needs permission`;
  const reasons: Readonly<Record<string, [reason: string, hint?: string]>> = {
    ENOENT: ['does not exist'],
    EACCES: ['may not be read by this user', uid],
    EPERM: ['may not be read by this user', uid],
    EISDIR: ['is a directory', 'a container engine makes one when the file to mount does not exist on the host'],
  };
  const [reason, hint = null] = reasons[code] ?? [`cannot be read (${code})`];
  return { message: `${file} ${reason}`, hint };
}

/** Short ones could be guessed. */
export const token: Content = content => {
  const value = content.trim();
  if (value.length >= 16) return value;
  return { message: 'the token has fewer than 16 characters', hint: 'make one by `openssl rand -hex 32`' };
};

export const password: Content = content => {
  const value = content.replace(/\r?\n$/, '');
  return value || { message: 'the file is empty', hint: null };
};

export const certificate: Content = content => {
  if (content.includes('-----BEGIN CERTIFICATE-----')) return content;
  return { message: 'the file holds no certificate', hint: 'expected PEM, with a line -----BEGIN CERTIFICATE-----' };
};

export const tlsKey = privateKey(
  /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/,
  'expected PEM, with a line -----BEGIN PRIVATE KEY-----',
);

/** PKCS#8, the form of `BEGIN PRIVATE KEY`, is not an SSH form. */
export const sshKey = privateKey(
  /-----BEGIN (OPENSSH|RSA|DSA|EC) PRIVATE KEY-----/,
  'expected what ssh-keygen makes, with a line -----BEGIN OPENSSH PRIVATE KEY-----',
);

function privateKey(form: RegExp, hint: string): Content {
  return content => {
    if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(content) || isLocked(content)) {
      return { message: 'keys with a passphrase are not supported', hint: null };
    }
    return form.test(content) ? content : { message: 'the file holds no private key', hint };
  };
}

/** OpenSSH's own form begins with its name and a zero; then comes the cipher, after its length in four bytes. */
function isLocked(content: string): boolean {
  const [, body = ''] = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)/.exec(content) ?? [];
  const bytes = Buffer.from(body, 'base64').toString('latin1');
  return bytes.startsWith('openssh-key-v1\0') && bytes.slice(19, 23) !== 'none';
}
