import { isIPv4 } from 'node:net';
import type { DsmIdentity } from '../model/check.ts';

/**
 * The three questions that DSM answers without a login, in its own words. PURE: anything else, HTML above all, is null.
 */

/** Of `/webapi/query.cgi?api=SYNO.API.Info&…&query=SYNO.API.Auth`. */
export interface ApiInfo {
  /** Where one would log in: `entry.cgi`, until DSM 6 `auth.cgi`. */
  auth: string;
}

/** Of `/webman/pingpong.cgi?action=cors`. */
export interface Pingpong {
  bootDone: boolean | null;
  /** Its disks sleep. */
  hibernating: boolean | null;
}

/** Of `/webman/get_state.cgi`, which only a DSM that does not run answers: then the Web Assistant is there instead. */
export interface InstallState {
  /** `sys_crash`: DSM's system can be repaired. `sys_migrat`: the disks come from another machine. */
  status: 'not_install' | 'sys_crash' | 'sys_migrat' | 'other';
  /** At this moment. */
  installing: boolean;
  identity: DsmIdentity;
}

export function readApiInfo(body: string): ApiInfo | null {
  const answer = parse(body);
  if (answer?.['success'] !== true) return null;
  const auth = text(fields(fields(answer['data'])?.['SYNO.API.Auth'])?.['path']);
  return auth === null ? null : { auth };
}

export function readPingpong(body: string): Pingpong | null {
  const answer = parse(body);
  if (!answer || answer['success'] === false) return null;
  const pingpong = { bootDone: truth(answer['boot_done']), hibernating: truth(answer['disk_hibernation']) };
  return pingpong.bootDone === null && pingpong.hibernating === null ? null : pingpong;
}

export function readState(body: string): InstallState | null {
  const info = fields(fields(parse(body)?.['data'])?.['dsinfo']);
  const status = text(info?.['status']);
  if (!info || status === null) return null;
  return {
    status: status === 'not_install' || status === 'sys_crash' || status === 'sys_migrat' ? status : 'other',
    installing: truth(info['is_installing']) === true,
    // The serial number beside them stays where it is.
    identity: {
      name: text(info['hostname']),
      model: text(info['model']),
      version: text(info['build_ver']),
      update: null,
      address: addressOf(info['ip_addr']),
      httpPort: null,
      httpsPort: portOf(info['https_admin_port']),
    },
  };
}

function parse(body: string): Readonly<Record<string, unknown>> | null {
  try {
    return fields(JSON.parse(body));
  } catch {
    return null;
  }
}

/** Without what an object inherits. */
function fields(value: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.assign(Object.create(null), value);
}

/** The scripts write JSON by hand: numbers and truths may be strings. */
function truth(value: unknown): boolean | null {
  if (value === true || value === 'true' || value === 'yes' || value === 1 || value === '1') return true;
  if (value === false || value === 'false' || value === 'no' || value === 0 || value === '0') return false;
  return null;
}

/** One short printable line. */
function text(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 64) return null;
  return /^[^\p{C}\p{Z}]([^\p{C}]*[^\p{C}\p{Z}])?$/u.test(value) ? value : null;
}

function addressOf(value: unknown): string | null {
  return typeof value === 'string' && isIPv4(value) ? value : null;
}

function portOf(value: unknown): number | null {
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
}
