import fc from 'fast-check';
import type { Config } from '../../src/config/config.ts';
import { withLoader } from './harness.ts';

/** A key that no file hangs on: how to make a value of it, what comes of it, and what else the file has to say. */
export interface Scalar {
  text: fc.Arbitrary<string>;
  read: (config: Config) => unknown;
  is?: (text: string) => unknown;
  file?: string;
}

const loader = (config: Config) => config.vms[0]?.loader;
const path = fc.stringMatching(/^(\/[a-z0-9 ]{1,8}){1,3}$/);
const byHand = withLoader('sata_map: { SataPortMap: "1", DiskIdxMap: "00" }');

const keys: Record<string, Scalar> = {
  KIND: { text: fc.constant('tcrp'), read: config => loader(config)?.kind },
  MODEL: { text: fc.constantFrom('DS918+', 'DS3622xs+', '12'), read: config => loader(config)?.model },
  PLATFORM: {
    text: fc.constantFrom('ds918p-7.1.1-42962', 'ds3622xsp-7.2-64570'),
    read: config => loader(config)?.platform,
  },
  UPGRADE: { text: fc.constantFrom('never', 'full'), read: config => loader(config)?.upgrade },
  EXTENSIONS: {
    text: fc.constantFrom('[]', '[https://a.b/c.json]', '[https://a.b/c.json, http://d:80/]'),
    read: config => loader(config)?.extensions,
    is: text => text.match(/http[^,\]]+/g) ?? [],
  },
  KEEP_IDENTITY: {
    text: fc.constantFrom('true', 'false'),
    read: config => loader(config)?.keepIdentity,
    is: text => text === 'true',
  },
  SATA_MAP: {
    text: fc.constantFrom('auto', '{ SataPortMap: "12", DiskIdxMap: "1000" }'),
    read: config => loader(config)?.sataMap,
    is: text => (text === 'auto' ? text : { SataPortMap: '12', DiskIdxMap: '1000' }),
  },
  SATA_MAP__SATAPORTMAP: {
    text: fc.constantFrom('1', '2', '9'),
    read: config => loader(config)?.sataMap,
    is: SataPortMap => ({ SataPortMap, DiskIdxMap: '00' }),
    file: byHand,
  },
  SATA_MAP__DISKIDXMAP: {
    text: fc.constantFrom('00', '10', '1e', 'FF'),
    read: config => loader(config)?.sataMap,
    is: DiskIdxMap => ({ SataPortMap: '1', DiskIdxMap }),
    file: byHand,
  },
  IMAGE: {
    text: fc.oneof(fc.constant('volume'), path),
    read: config => loader(config)?.image,
    is: text => (text === 'volume' ? { way: 'volume', transientPool: false } : { way: 'path', path: text }),
  },
  TRANSIENT_POOL: {
    text: fc.constantFrom('true', 'false'),
    read: config => loader(config)?.image,
    is: text => ({ way: 'volume', transientPool: text === 'true' }),
  },
  SSH__HOST: { text: fc.oneof(fc.constant('loader.lan'), fc.ipV4()), read: config => loader(config)?.ssh.host },
  SSH__PORT: {
    text: fc.integer({ min: 1, max: 65_535 }).map(String),
    read: config => loader(config)?.ssh.port,
    is: Number,
  },
  SSH__USER: { text: fc.constantFrom('tc', 'root', '0', 'null'), read: config => loader(config)?.ssh.user },
  SSH__PASSWORD: { text: fc.string({ minLength: 1 }), read: config => loader(config)?.ssh.password },
  SSH__HOST_KEY: {
    text: fc.constantFrom('accept-new', `SHA256:${'a+/'.repeat(14)}0`),
    read: config => loader(config)?.ssh.hostKey,
    is: text => (text === 'accept-new' ? null : text),
  },
  ON_FAILURE: { text: fc.constantFrom('ask', 'auto'), read: config => loader(config)?.onFailure },
  BACKUP_DIR: { text: path, read: config => loader(config)?.backupDir },
  KEEP_BACKUPS: {
    text: fc.integer({ min: 1, max: 100 }).map(String),
    read: config => loader(config)?.keepBackups,
    is: Number,
  },
};

/** By variable. */
export const loaderScalars: Record<string, Scalar> = Object.fromEntries(
  Object.entries(keys).map(([key, scalar]) => [`DSM2MQTT_VMS__0__LOADER__${key}`, { file: withLoader(), ...scalar }]),
);
