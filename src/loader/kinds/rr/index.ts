import type { LoaderAdapter } from '../adapter.ts';
import { outputTable } from './failures.ts';
import { plan } from './plan.ts';
import { rrFindings } from './preflight.ts';
import { configIn, isBuiltFor, judgeConfig, textOf, userConfig, wantedOf } from './user-config.ts';

/** RR (https://github.com/RROrg/rr), version 26.7.4. */
export const rr: LoaderAdapter = {
  ...{ kind: 'rr', title: 'RR' },
  login: { user: 'root', password: 'rr' },
  builder: {
    variable: 'next_entry',
    // Its terminal, on port 7681.
    page: true,
    settle,
    proof: '[ -d /opt/rr ] && grep -q IWANTTOCHANGETHECONFIG /proc/cmdline && echo builder',
    otherwise: 'RR was not started to be configured, or it is another system.',
    powerOff: 'sync; poweroff',
  },
  home: null,
  config: userConfig,
  servers: ['global.synologydownload.com', 'www.synology.com'],
  examine: async facts => rrFindings(facts),
  plan,
  outputs: outputTable,
  judgeConfig,
  bootEntry: (menu, want) =>
    menu.find(title => title === (want === 'builder' ? 'Configure loader' : 'Boot DSM')) ?? null,
  builtFor: ({ files }, { model, version }) => {
    const wanted = wantedOf({ model, platform: `x-${version}` });
    const config = configIn(files.get(userConfig)?.toString('utf8'));
    return wanted !== null && !files.has('.build') && isBuiltFor(config, wanted);
  },
};

/**
 * RR's way to DSM: it waits for an address, then for `bootwait` seconds for somebody to log in, loads DSM's kernel, and is
 * gone (boot.sh). Twenty seconds are for the load.
 */
function settle(config: string | null): number {
  const seconds = (key: string) => Math.min(300, Number(textOf(configIn(config ?? undefined), key) || 10) || 10);
  return (seconds('bootwait') + seconds('bootipwait') + 20) * 1_000;
}
