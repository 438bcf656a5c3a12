import { isIPv4 } from 'node:net';
import type { DsmIdentity } from '../../model/check.ts';
import { orNull } from '../../util/or-null.ts';

/** Parses the three answers that DSM gives without a login. PURE: anything else, such as HTML, is null. */

/** Of `/webman/pingpong.cgi?action=cors`. */
export interface Pingpong {
  bootDone: boolean | null;
  /** Its disks sleep. */
  hibernating: boolean | null;
}

/** `/webman/get_state.cgi`: only answered when the Web Assistant runs instead of DSM. */
export interface InstallState {
  /** `sys_crash`: DSM's system can be repaired. `sys_migrat`: the disks come from another machine. */
  status: 'not_install' | 'sys_crash' | 'sys_migrat' | 'other';
  /** At this moment. */
  installing: boolean;
  /** Of its disks; null: it does not say. */
  hasDisk: boolean | null;
  diskLargeEnough: boolean | null;
  identity: DsmIdentity;
}

/** `/webapi/query.cgi?api=SYNO.API.Info&…&query=SYNO.API.Auth`: the path of the login, `auth.cgi` until DSM 6. */
export function readApiInfo(body: string): { auth: string } | null {
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

/** Fields that Synology's script has always written. One of them proves that it is the script's answer. */
const stateFields = ['status', 'model', 'serial', 'mac_addr', 'build_ver', 'is_installing', 'disk_size_enough'];

export function readState(body: string): InstallState | null {
  const data = fields(parse(body)?.['data']);
  const info = fields(data?.['dsinfo']);
  if (!data || !info || !stateFields.some(name => name in info)) return null;
  const status = typeof info['status'] === 'string' ? info['status'].trim() : '';
  return {
    status: status === 'not_install' || status === 'sys_crash' || status === 'sys_migrat' ? status : 'other',
    installing: truth(info['is_installing']) === true,
    // A count of 0 means no disk too, and a count of 4 does not.
    hasDisk: truth(data['has_disk']) ?? truth(info['disk_count']),
    diskLargeEnough: truth(info['disk_size_enough']),
    // The serial number beside these fields is not read.
    identity: {
      ...{ name: text(info['hostname']), model: text(info['model']), version: text(info['build_ver']), update: null },
      ...{ address: addressOf(info['ip_addr']), httpPort: null, httpsPort: portOf(info['https_admin_port']) },
    },
  };
}

function parse(body: string): Readonly<Record<string, unknown>> | null {
  // The script writes JSON by hand: it puts a program's output between quotes, with all its line ends.
  return fields(orNull(() => JSON.parse(body.replace(/\p{Cc}/gu, ' '))));
}

/** Without what an object inherits. */
function fields(value: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.assign(Object.create(null), value);
}

/** The scripts write JSON by hand: numbers and booleans may be strings. */
function truth(value: unknown): boolean | null {
  if ([true, 'true', 'yes', 1, '1'].some(yes => yes === value)) return true;
  return [false, 'false', 'no', 0, '0'].some(no => no === value) ? false : null;
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
