import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { validateDetailed } from 'node-cron';
import { isVmKey, topicFault } from '../../model/topics.ts';
import { orNull } from '../../util/or-null.ts';
import type { Fault } from '../problem.ts';

/** What is wrong with a text in a format; null: nothing. No message repeats it: it may contain a password. */
export type Format = (text: string) => Fault | null;

function must(hold: (text: string) => boolean, message: string, hint: string): Format {
  return text => (hold(text) ? null : { message, hint });
}

/** A single line, as MQTT and people need it. */
export function line(most: number): Format {
  return text => {
    if (text === '') return { message: 'must not be empty', hint: null };
    if (text.length > most) return { message: `must have at most ${most} characters, not ${text.length}`, hint: null };
    const odd = /\p{Cc}/u.test(text) || !text.isWellFormed();
    return odd ? { message: 'contains a line break, or another character that MQTT does not allow', hint: null } : null;
  };
}

export const brokerUrl: Format = text => {
  const hint = 'write mqtt://host:1883, mqtts://host:8883, ws://host/path or wss://host/path';
  if (/,\s*(mqtts?|wss?):/i.test(text)) {
    return { message: 'expected one URL', hint: 'several are a list: [mqtt://a.lan:1883, mqtt://b.lan:1883]' };
  }
  const url = URL.parse(text);
  if (!url) return { message: 'expected a URL', hint };
  if (url.username || url.password) {
    return { message: 'must not contain a user or password', hint: 'use mqtt.username and mqtt.password_file' };
  }
  if (!/^(mqtts?|wss?):$/.test(url.protocol) || !url.hostname) {
    return { message: 'expected the URL of an MQTT broker', hint };
  }
  if (url.protocol.startsWith('mqtt') && !['', '/'].includes(url.pathname)) {
    return { message: 'must not have a path', hint: 'only ws and wss have one; for topics there is mqtt.base_topic' };
  }
  return url.search || url.hash ? { message: 'must not have a query or a fragment', hint: null } : null;
};

export const extensionUrl = httpUrl(
  'the http or https URL of its rpext-index.json',
  'the loader fetches it without a login',
);

export const webUrl = httpUrl('for example https://ntfy.sh/my-nas', 'use token_file');

/** `login`: what to do instead of a user and password in it. */
function httpUrl(hint: string, login: string): Format {
  return text => {
    const url = URL.parse(text);
    if (!url) return { message: 'expected a URL', hint };
    if (!/^https?:$/.test(url.protocol))
      return { message: 'expected a URL that begins with http:// or https://', hint };
    return url.username || url.password ? { message: 'must not contain a user or password', hint: login } : null;
  };
}

/** The host name need not resolve now: the guest may be off. */
export const address: Format = text => {
  const message = addressFault(text);
  return message === null ? null : { message, hint: 'for example 192.168.1.20 or nas.lan' };
};

function addressFault(text: string): string | null {
  if (isIP(text) === 4) return null;
  if (isIP(text) === 6) return 'must be a host name or an IPv4 address';
  if (text === '') return 'must not be empty';
  if (/[/?#@]/.test(text)) return 'expected a host name or an IP address, and nothing else';
  if (/^([^:]*|\[.*\]):\d+$/.test(text)) return 'must not have a port';
  if (/^\[.*\]$/.test(text)) return 'must not have brackets';
  const labels = text.replace(/\.$/, '').split('.');
  if (/^\d+$/.test(labels.at(-1) ?? '')) return 'is not an IP address';
  const isName = text.length <= 253 && labels.every(label => /^(?!-)[\p{L}\p{M}\p{N}_-]{1,63}(?<!-)$/u.test(label));
  return isName ? null : 'expected a host name or an IP address';
}

/** As a URL has it; TLS names no address. */
export const hostName = must(
  text => addressFault(text) === null && isIP(text) === 0 && /^[!-~]+$/.test(text),
  'expected a host name in ASCII',
  'for example shop.lan; without it, the address is used',
);

export const pagePath = must(
  text => /^\/[!-~]{0,2000}$/.test(text),
  'expected the path of a page',
  'it begins with /, and has %20 and the like for what is not ASCII: /health?full=1',
);

/** `off`, or a name or IPv4 address with a port. */
export const listen: Format = text => {
  const hint = 'for example 127.0.0.1:8099, or off';
  if (text === 'off') return null;
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535) return { message: 'expected an address and a port', hint };
  const fault = addressFault(host);
  return fault === null ? null : { message: 'expected a host name or an IPv4 address before the port', hint };
};

/** A cron expression, or `never`. */
export const schedule: Format = text => {
  if (text === 'never') return null;
  const hint = 'write minute, hour, day, month and weekday, for example * * * * *; or never';
  const [error] = validateDetailed(text).errors;
  if (!error) return null;
  if (error.field === 'expression') return { message: 'expected a cron expression', hint };
  const field = error.field.replace(/^dayOf(Month|Week)$/, (_, of) => (of === 'Week' ? 'weekday' : 'day'));
  return { message: `is no cron expression: its ${field} is wrong`, hint };
};

export const usualUri = 'qemu:///system';

export const libvirtName = must(isVmKey, 'expected letters, digits, _ and -', 'for example nas2');

export const timezone = must(
  text => orNull(() => new Intl.DateTimeFormat('en', { timeZone: text })) !== null,
  'expected a time zone',
  'for example Europe/Berlin or UTC',
);

export const topic: Format = text => {
  const message = /^\/|\/$/.test(text) ? 'must not start or end with /' : topicFault(text);
  return message === null ? null : { message, hint: 'for example dsm2mqtt or site/dsm2mqtt' };
};

export const libvirtUri: Format = text => {
  const message = uriFault(text);
  return message === null
    ? null
    : { message, hint: 'qemu:///system, qemu+tls://host/system or qemu+ssh://user@host/system' };
};

function uriFault(text: string): string | null {
  const [, driver, transport = 'unix', host] = /^([a-z]+)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)\/[^#\s]*$/.exec(text) ?? [];
  if (!driver) return 'expected a libvirt URI';
  if (driver !== 'qemu' && driver !== 'test') return 'expected the driver qemu (or test)';
  if (!['unix', 'tls', 'ssh'].includes(transport)) return `the transport +${transport} is not supported`;
  if (host && /:.*@/.test(host)) return 'must not hold a password: SSH logs in with a key';
  if (transport === 'unix' && host) return 'must not name a host without +tls or +ssh';
  return transport === 'unix' || host ? null : 'must name a host';
}

/** Whether the loader has this build is checked before a rebuild, with suggestions. */
export const platform = must(
  text => /^([a-z\d]+-)?\d+(\.\d+){1,2}-\d+(-\d+)?$/i.test(text),
  'expected a platform id: model, version, build',
  'for example ds918p-7.1.1-42962 or 7.2.2-72806',
);

export const addon = must(
  text => /^[\w.-]+(=[\w.,:@/-]*)?$/.test(text),
  'expected the name of an add-on',
  'for example acpid, or name=parameter',
);

export const updateFile = must(
  text => isAbsolute(text) && text.endsWith('.zip'),
  'expected the absolute path of a zip',
  'for example /images/update.zip',
);

export const image = must(
  text => text === 'volume' || isAbsolute(text),
  'expected volume or an absolute path',
  'for example /images/loader.img',
);

export const size = must(
  text => /^[1-9]\d{0,6} ?(MiB|GiB|TiB)$/.test(text),
  'expected a size with its unit',
  'a whole number and MiB, GiB or TiB: 20GiB',
);

/** Names that stay with the disk, of a whole one. */
export const diskById = must(
  text => /^\/dev\/disk\/by-id\/[^/\s<&]+$/.test(text) && !/-part\d+$/.test(text),
  'expected the lasting name of a whole disk',
  'ls -l /dev/disk/by-id shows them: /dev/disk/by-id/…, without -part1',
);

export const mac = must(
  text => /^[\da-f][02468ace](:[\da-f]{2}){5}$/i.test(text),
  'expected the MAC of one NIC',
  'for example 52:54:00:12:34:56; the second digit is even',
);

export const sataPortMap: Format = text => {
  if (/^[1-9]\d{0,7}$/.test(text)) return null;
  return text.startsWith('0')
    ? { message: 'must not begin with 0', hint: 'the kernel panics at it; give an unused first controller a 1' }
    : { message: 'expected 1 to 8 digits', hint: 'a digit for each SATA controller, its ports: "12"' };
};

export const diskIdxMap = must(
  text => /^([\da-f]{2}){1,8}$/i.test(text),
  'expected pairs of hex digits, 8 at most',
  'two for each SATA controller, the first slot of its disks: "1000"',
);

export const hostKey = must(
  text => /^(accept-new|SHA256:[A-Za-z\d+/]{43}=?)$/.test(text),
  'expected accept-new or a fingerprint',
  'ssh-keygen -l prints it: SHA256: and 43 letters, digits, + or /',
);
