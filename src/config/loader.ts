import { join } from 'node:path';
import type { LoaderSettings } from '../model/loader-settings.ts';
import type { RawLoader } from './loader-schema.ts';

/** `secret`: content of the file that the key of `ssh` names, or null. */
export function loaderSettings(
  raw: RawLoader,
  dataDir: string,
  secret: (key: 'password_file' | 'private_key_file') => string | null,
): LoaderSettings {
  const { ssh } = raw;
  return {
    kind: raw.kind,
    model: raw.model,
    platform: raw.platform,
    upgrade: raw.upgrade,
    extensions: [...new Set(raw.extensions)],
    keepIdentity: raw.keep_identity,
    sataMap: raw.sata_map,
    image:
      raw.image === 'volume' ? { way: 'volume', transientPool: raw.transient_pool } : { way: 'path', path: raw.image },
    ssh: {
      host: ssh.host ?? null,
      port: ssh.port,
      user: ssh.user,
      password: ssh.password ?? secret('password_file'),
      privateKey: secret('private_key_file'),
      hostKey: ssh.host_key === 'accept-new' ? null : ssh.host_key,
    },
    onFailure: raw.on_failure,
    backupDir: raw.backup_dir ?? join(dataDir, 'loader-backups'),
    keepBackups: raw.keep_backups,
  };
}
