/** What the real rploader.sh said, release by release, and what the product makes of it. */
import { describe, expect, test } from 'vitest';
import { OutcomeReader } from '../../src/loader/kinds/outcome.ts';
import { tcrp } from '../../src/loader/kinds/tcrp/index.ts';
import { judgeStep, recordings, releases, stepOf } from '../contract/recordings.ts';

/** What it says of each that did not go well, in every release or as each has it. */
const failed: Readonly<Record<string, string | Readonly<Record<string, string>>>> = {
  ...{ unknown_platform: 'platform_not_found', unknown_model: 'unknown_model', no_usb: 'no_usb_disk' },
  ...{ bad_config: 'bad_config', serialgen_bad_config: 'bad_config', identifyusb_bad_config: 'bad_config' },
  ...{ satamap_bad_config: 'bad_config', backup_fails: 'home_not_saved', mount_fails: 'mount_failed' },
  ...{ no_space: 'cache_full', first_full: 'no_space', menu_fails: 'no_menu', no_config: 'no_build_config' },
  ...{ 'no_dns-extension_1': 'no_internet', no_dns: 'no_internet' },
  ...{ 'github_refuses-extension_1': 'host_unreachable', github_refuses: 'host_unreachable' },
  ...{ synology_refuses: 'host_unreachable', raw_refuses: 'no_module', no_module: 'no_module' },
  ...{ 'tls_future-extension_1': 'certificate', tls_future: 'certificate' },
  ...{ 'tls_late-extension_2': 'clock_wrong' },
  ...{ 'ext-no_index': 'no_extension', 'ext-index_page': 'bad_extension', no_recipe: 'no_recipe' },
  ...{ half_extension: 'half_extension', half_mine: 'half_extension' },
  ...{ 'no_jq-serialgen': 'missing_program', 'no_jq-extension_1': 'missing_program', no_jq: 'missing_program' },
  ...{ pat_page: 'bad_pat', pat_broken: 'broken_off', extractor_page: 'no_extractor' },
  // What was unpacked stays in memory until the builder is started again.
  'extractor_page-build_after': { '0.9.2.9': 'no_extractor', '0.9.4.3': 'no_extractor', '0.9.4.6': 'no_extractor' },
  // Releases before have no friend unless it is asked for.
  no_friend: { '0.9.4.6': 'no_friend', '0.9.4.9c': 'no_friend', '0.10.0.0': 'no_friend' },
  half_upgrade_build: { '0.9.2.9': 'no_menu' },
  // Releases before take what comes from curl, and say nothing.
  'upgrade_no_way-upgrade': {
    ...{ '0.9.4.6': 'host_unreachable', '0.9.4.9c': 'host_unreachable', '0.10.0.0': 'host_unreachable' },
  },
  'upgrade_page-upgrade': { '0.9.4.6': 'git_failed', '0.9.4.9c': 'git_failed', '0.10.0.0': 'git_failed' },
  ...{ 'upgrade_no_way-check_upgrade': 'upgrade_not_whole', 'upgrade_page-check_upgrade': 'upgrade_not_whole' },
};

test('there are recordings of five releases', () => {
  expect(releases).toEqual(['0.9.2.9', '0.9.4.3', '0.9.4.6', '0.9.4.9c', '0.10.0.0']);
});

describe.each(releases)('of %s', release => {
  test.each(recordings(release))('$name', ({ name, step: stepName, exit, output }) => {
    const expected = failed[name] ?? 'ok';
    const step = stepOf(stepName);
    const outcome = judgeStep(step, output, exit);
    expect(outcome.ok ? 'ok' : outcome.code).toBe(
      typeof expected === 'string' ? expected : (expected[release] ?? 'ok'),
    );
    const judge = new OutcomeReader(step, tcrp.outputs);
    for (const character of output) judge.take(character);
    expect(judge.end(exit)).toEqual(outcome);
  });
});
