import type { LoaderAdapter } from '../adapter.ts';
import { outputTable } from './failures.ts';
import { plan } from './plan.ts';
import { examine } from './preflight.ts';
import { areEnough, releaseFiles } from './release.ts';
import { judgeConfig, userConfig } from './user-config.ts';

/** TinyCore RedPill by pocopico, releases 0.9.2.9 to 0.10. */
export const tcrp: LoaderAdapter = {
  ...{ kind: 'tcrp', title: 'TinyCore RedPill' },
  // TinyCore's user, with the password that every copy has.
  login: { user: 'tc', password: 'P@ssw0rd' },
  builder: {
    ...{ variable: 'saved_entry', page: false, settle: () => 0 },
    proof: '[ -x ./rploader.sh ] && ! [ -e /etc.defaults/VERSION ] && echo builder',
    otherwise: 'there is no rploader.sh in its home.',
    powerOff: 'sync; sudo poweroff',
  },
  // `filetool.sh -b` packs it.
  home: {
    ...{ partition: 3, archive: 'MYDATA.TGZ', folder: 'home/tc/', files: [...releaseFiles, userConfig] },
    isEnough: found => areEnough(found) && found.has(userConfig),
  },
  config: userConfig,
  servers: ['github.com', 'raw.githubusercontent.com', 'global.download.synology.com'],
  examine,
  plan,
  outputs: outputTable,
  judgeConfig,
  bootEntry: (menu, want, loaderBus) => {
    const find = (fits: (title: string) => boolean) => menu.find(fits) ?? null;
    if (want === 'builder') return find(title => title === 'Tiny Core Image Build');
    const bus = loaderBus === 'sata' ? 'SATA' : 'USB';
    // If Friend is there, it starts DSM by itself.
    return find(title => title === 'Tiny Core Friend') ?? find(title => isDsm(title) && title.includes(`(${bus},`));
  },
  // If the menu was not replaced, it may contain older entries.
  builtFor: ({ boot }, { model, version }) => {
    const entries = boot.entries.filter(isDsm).map(title => title.split(' '));
    return entries.length > 0 && entries.every(([, its, of]) => its === model && versionOf(of) === versionOf(version));
  },
};

/** A build names DSM's entries `RedPill DS918+ v7.1.1-42962 (USB, Verbose)`; from 0.9.4.5 on without the v. */
function isDsm(title: string): boolean {
  return title.startsWith('RedPill ');
}

function versionOf(word: string | undefined): string | undefined {
  return word?.replace(/^v/, '').split('-')[0];
}
