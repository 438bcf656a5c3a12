import { readFileSync } from 'node:fs';

/** `user_config.json` as the builder's scripts read and write it, without jq: that an empty one is no error is theirs. */

interface UserConfig {
  general: Record<string, string>;
  extra_cmdline: Record<string, string>;
}

const repository = new URL('../../../lab/guest/builder/srv/repo/user_config.json', import.meta.url);

/** As it comes with an upgrade. */
export function freshConfig(): string {
  return readFileSync(repository, 'utf8');
}

/** Of the loader that is installed. */
export function defaultConfig(cmdline: Readonly<Record<string, string>> = {}): string {
  const fresh: UserConfig = JSON.parse(freshConfig());
  const ours = {
    ...{ pid: '0x0001', vid: '0x46f4', sn: '1780PDN000000', mac1: '525400D53001' },
    ...{ SataPortMap: '1', DiskIdxMap: '10' },
  };
  const extra_cmdline = { ...fresh.extra_cmdline, ...ours, ...cmdline };
  return `${JSON.stringify({ ...fresh, general: { ...fresh.general, model: 'DS918+' }, extra_cmdline }, null, 2)}\n`;
}

/** DSM's kernel command line. An empty configuration adds nothing to it. */
export function dsmLine(config: string, model: string, build: string, kind: 'USB' | 'SATA'): string {
  const read = parse(config);
  const of =
    read &&
    (({ sn, mac1, netif_num, vid, pid, SataPortMap, DiskIdxMap }) =>
      `netif_num=${netif_num} mac1=${mac1} sn=${sn} vid=${vid} pid=${pid} SataPortMap=${SataPortMap} DiskIdxMap=${DiskIdxMap} `)(
      read.extra_cmdline,
    );
  const satadom = kind === 'SATA' ? ' synoboot_satadom=1' : '';
  return `loglevel=3 syno_hw_version=${model} ${of ?? ''}withefi loader_build=${build}${satadom}`;
}

/** The same with `.extra_cmdline.sn`, or another, set; what is empty stays so. */
export function withSetting(config: string, path: string, value: string): string {
  const read = parse(config);
  const [, section = '', key = ''] = path.split('.');
  if (!read || (section !== 'general' && section !== 'extra_cmdline')) return config;
  read[section] = { ...read[section], [key]: value };
  return `${JSON.stringify(read, null, 2)}\n`;
}

/** Null where there is nothing to read. */
export function parse(config: string): UserConfig | null {
  try {
    return JSON.parse(config);
  } catch {
    return null;
  }
}
