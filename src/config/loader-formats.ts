import { isAbsolute } from 'node:path';
import type { Fault } from './fault.ts';

/** What is wrong with a value of a VM's loader; null if nothing. No message repeats the value. */

/** Whether the loader knows it is judged before a rebuild, with proposals. */
export function platformFault(text: string): Fault | null {
  if (/^[a-z\d]+-\d+(\.\d+){1,2}-\d+$/i.test(text)) return null;
  return { message: 'expected a platform id: model, version, build', hint: 'for example ds918p-7.1.1-42962' };
}

export function extensionFault(text: string): Fault | null {
  const hint = 'the http or https URL of its rpext-index.json';
  if (!URL.canParse(text)) return { message: 'expected a URL', hint };
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return { message: 'expected a URL that begins with http:// or https://', hint };
  }
  if (!url.username && !url.password) return null;
  return { message: 'must not contain a user or password', hint: 'the loader fetches it without a login' };
}

export function imageFault(text: string): Fault | null {
  if (text === 'volume' || isAbsolute(text)) return null;
  return { message: 'expected volume or an absolute path', hint: 'for example /images/loader.img' };
}

/** Whether the two maps fit together, `crossCheck` says. */
export function sataPortMapFault(text: string): Fault | null {
  if (/^[1-9]\d{0,7}$/.test(text)) return null;
  return text.startsWith('0')
    ? { message: 'must not begin with 0', hint: 'the kernel panics at it; give an unused first controller a 1' }
    : { message: 'expected 1 to 8 digits', hint: 'a digit for each SATA controller, its ports: "12"' };
}

export function diskIdxMapFault(text: string): Fault | null {
  if (/^([\da-f]{2}){1,8}$/i.test(text)) return null;
  const hint = 'two for each SATA controller, the first slot of its disks: "1000"';
  return { message: 'expected pairs of hex digits, 8 at most', hint };
}

export function hostKeyFault(text: string): Fault | null {
  if (text === 'accept-new' || /^SHA256:[A-Za-z\d+/]{43}=?$/.test(text)) return null;
  const hint = 'ssh-keygen -l prints it: SHA256: and 43 letters, digits, + or /';
  return { message: 'expected accept-new or a fingerprint', hint };
}
