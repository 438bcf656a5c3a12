import type { LoaderAdapter } from '../../adapter.ts';
import { OutcomeReader } from './outcome.ts';
import { plan } from './plan.ts';
import { areEnough, newestRelease, readRelease, releaseFiles } from './release.ts';
import { identityWords, judgeConfig, userConfig } from './user-config.ts';

/** TinyCore RedPill by pocopico, releases 0.9.2.9 and 0.10. */
export const tcrp: LoaderAdapter = {
  name: 'tcrp',
  // TinyCore's user, with the password that every copy has.
  login: { user: 'tc', password: 'P@ssw0rd' },
  // `filetool.sh -b` packs it.
  home: {
    ...{ partition: 3, archive: 'MYDATA.TGZ', folder: 'home/tc/', config: userConfig },
    files: [...releaseFiles, userConfig],
    isEnough: found => areEnough(found) && found.has(userConfig),
  },
  newest: newestRelease,
  release: readRelease,
  plan,
  judge: step => new OutcomeReader(step),
  judgeConfig,
  secrets: identityWords,
  bootEntry: (menu, want, loaderBus) => {
    const find = (fits: (title: string) => boolean) => menu.find(fits) ?? null;
    if (want === 'builder') return find(title => title === 'Tiny Core Image Build');
    const bus = loaderBus === 'sata' ? 'SATA' : 'USB';
    // If Friend is there, it starts DSM by itself.
    return find(title => title === 'Tiny Core Friend') ?? find(title => isDsm(title) && title.includes(`(${bus},`));
  },
  // If the menu was not replaced, it may contain older entries.
  builtFor: (menu, { model, version }) => {
    const entries = menu.filter(isDsm).map(title => title.split(' '));
    return entries.length > 0 && entries.every(([, its, of]) => its === model && versionOf(of) === version);
  },
};

/** A build names DSM's entries `RedPill DS918+ v7.1.1-42962 (USB, Verbose)`; from 0.9.4.5 on without the v. */
function isDsm(title: string): boolean {
  return title.startsWith('RedPill ');
}

function versionOf(word: string | undefined): string | undefined {
  return word?.replace(/^v/, '').split('-')[0];
}
