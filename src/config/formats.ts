import { isIP } from 'node:net';
import { validateDetailed } from 'node-cron';
import { topicFault as nameFault } from '../model/topics.ts';
import type { Fault } from './fault.ts';

/** What is wrong with a URL, an address, a topic or a libvirt URI; null if nothing. No message repeats the value: it may hold a password. */

const brokerSchemes = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];

export function urlFault(text: string): Fault | null {
  const hint = 'write mqtt://host:1883, mqtts://host:8883, ws://host/path or wss://host/path';
  if (!URL.canParse(text)) return { message: 'expected a URL', hint };
  const url = new URL(text);
  if (url.username || url.password) {
    return { message: 'must not contain a user or password', hint: 'use mqtt.username and mqtt.password_file' };
  }
  if (!brokerSchemes.includes(url.protocol) || !url.hostname) {
    return { message: 'expected the URL of an MQTT broker', hint };
  }
  if (url.protocol.startsWith('mqtt') && !['', '/'].includes(url.pathname)) {
    return { message: 'must not have a path', hint: 'only ws and wss have one; for topics there is mqtt.base_topic' };
  }
  return url.search || url.hash ? { message: 'must not have a query or a fragment', hint: null } : null;
}

/** A host name need not be known now: the guest may be off. */
export function addressFault(text: string): Fault | null {
  const hint = 'for example 192.168.1.20 or nas.lan';
  if (isIP(text) === 4) return null;
  if (isIP(text) === 6) return { message: 'must be a host name or an IPv4 address', hint };
  if (text === '') return { message: 'must not be empty', hint };
  if (/[/?#@]/.test(text)) return { message: 'expected a host name or an IP address, and nothing else', hint };
  if (/^([^:]*|\[.*\]):\d+$/.test(text)) return { message: 'must not have a port', hint };
  if (/^\[.*\]$/.test(text)) return { message: 'must not have brackets', hint };
  const labels = text.replace(/\.$/, '').split('.');
  if (/^\d+$/.test(labels.at(-1) ?? '')) return { message: 'is not an IP address', hint };
  const isName = text.length <= 253 && labels.every(label => /^(?!-)[\p{L}\p{M}\p{N}_-]{1,63}(?<!-)$/u.test(label));
  return isName ? null : { message: 'expected a host name or an IP address', hint };
}

/** `off`, or a name or IPv4 address with a port. */
export function listenFault(text: string): Fault | null {
  const hint = 'for example 127.0.0.1:8099, or off';
  if (text === 'off') return null;
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (port === '' || Number(port) < 1 || Number(port) > 65_535)
    return { message: 'expected an address and a port', hint };
  return addressFault(host) ? { message: 'expected a host name or an IPv4 address before the port', hint } : null;
}

export function scheduleFault(text: string): Fault | null {
  if (text === 'never') return null;
  const hint = 'write minute, hour, day, month and weekday, for example * * * * *; or never';
  const [error] = validateDetailed(text).errors;
  if (!error) return null;
  const field = cronFields[error.field];
  return { message: field ? `is no cron expression: its ${field} is wrong` : 'expected a cron expression', hint };
}

const cronFields: Readonly<Record<string, string>> = {
  second: 'second',
  minute: 'minute',
  hour: 'hour',
  dayOfMonth: 'day',
  month: 'month',
  dayOfWeek: 'weekday',
};

export function timezoneFault(text: string): Fault | null {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return null;
  } catch {
    return { message: 'expected a time zone', hint: 'for example Europe/Berlin or UTC' };
  }
}

export function topicFault(text: string): Fault | null {
  const example = 'for example dsm2mqtt or site/dsm2mqtt';
  if (text.startsWith('/') || text.endsWith('/')) return { message: 'must not start or end with /', hint: example };
  const message = nameFault(text);
  return message === null ? null : { message, hint: example };
}

export function uriFault(text: string): Fault | null {
  const hint = 'qemu:///system, qemu+tls://host/system or qemu+ssh://user@host/system';
  const [, driver, transport = 'unix', host] = /^([a-z]+)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)\/[^#\s]*$/.exec(text) ?? [];
  if (!driver) return { message: 'expected a libvirt URI', hint };
  if (driver !== 'qemu' && driver !== 'test') {
    return { message: 'expected the driver qemu (or test)', hint };
  }
  if (!['unix', 'tls', 'ssh'].includes(transport)) {
    return { message: `the transport +${transport} is not supported`, hint };
  }
  if (host && /:.*@/.test(host)) return { message: 'must not hold a password: SSH logs in with a key', hint };
  if (transport === 'unix' && host) return { message: 'must not name a host without +tls or +ssh', hint };
  if (transport !== 'unix' && !host) return { message: 'must name a host', hint };
  return null;
}
