import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Component, vmDevicePayload } from '../../src/discovery/entities/payload.ts';
import { type CommandWord, commandWords } from '../../src/model/commands.ts';
import { type LoaderDocument, loaderDocument } from '../../src/model/documents.ts';
import { type Loader, loaderPhases } from '../../src/model/loader.ts';
import { checkOf, vmOf } from '../model/samples.ts';
import { updateEntity } from './home-assistant-update.ts';
import { render } from './jinja.ts';
import { bridge, description, hypervisor, idle, vm, vmWithLoader } from './samples.ts';

/** What Home Assistant shows of the loader, and of its rebuild. */

const announce = (options = vmWithLoader) =>
  vmDevicePayload(bridge, options, description, hypervisor).payload.components;

const without = Object.keys(announce({ ...vmWithLoader, loader: false }));
/** Its own entities, with what may be commanded. */
const own = (commands: readonly CommandWord[] = commandWords) =>
  Object.fromEntries(Object.entries(announce({ ...vmWithLoader, commands })).filter(([key]) => !without.includes(key)));

const loaderTopic = 'dsm2mqtt/DSM/loader';
const online = { topic: 'dsm2mqtt/bridge/state' };

const documentOf = (loader: Partial<Loader> = {}, version: string | null = null): LoaderDocument => {
  const check = checkOf('up');
  const vm = vmOf({ loader: { ...idle, ...loader }, check: { ...check, dsm: { ...check.dsm, version } } });
  const document = loaderDocument(vm);
  if (!document) throw new Error('there is a loader');
  return document;
};

test('each of its entities, as people read it', () => {
  const shown = ({ platform, name, entity_category, enabled_by_default }: Component) =>
    `${platform} ${name}: ${entity_category}, ${enabled_by_default === false ? 'off' : 'on'}`;
  expect(Object.entries(own()).map(([key, component]) => [key, shown(component)])).toEqual([
    ['rebuild', 'button Rebuild loader: config, off'],
    ['rollback', 'button Roll back loader: config, off'],
    ['arm', 'switch Arm rebuild: config, off'],
    ['loader_update', 'update Loader: diagnostic, on'],
    ['loader_phase', 'sensor Loader phase: diagnostic, on'],
    ['loader_result', 'sensor Loader result: diagnostic, on'],
    ['loader_progress', 'sensor Loader progress: diagnostic, off'],
    ['loader_error', 'sensor Loader error: diagnostic, off'],
    ['loader_backup', 'sensor Last loader backup: diagnostic, off'],
    ['loader_boot_entry', 'sensor Loader boot entry: diagnostic, off'],
    ['loader_rollback', 'binary_sensor Rollback possible: diagnostic, off'],
  ]);
});

test('without a loader there is nothing of it, whatever may be commanded', () => {
  const components = announce({ ...vm, commands: commandWords });
  expect(JSON.stringify(components)).not.toContain(loaderTopic);
  for (const key of ['rebuild', 'rollback', 'arm']) expect(components).not.toHaveProperty(key);
});

test('what may not be commanded has no button, and there is nothing to arm without one', () => {
  const controls = (...commands: CommandWord[]) =>
    Object.keys(own(commands)).filter(key => ['rebuild', 'rollback', 'arm'].includes(key));
  expect(controls('rebuild')).toEqual(['rebuild', 'arm']);
  expect(controls('rollback')).toEqual(['rollback', 'arm']);
  expect(controls('start', 'arm')).toEqual([]);
  expect(Object.keys(own([]))).toContain('loader_phase');
});

test('a button is there while it is armed; all else while the bridge is', () => {
  const { rebuild, rollback, ...others } = own();
  const template = expect.any(String);
  const usual = [online, { topic: 'dsm2mqtt/DSM/availability' }];
  for (const button of [rebuild, rollback]) {
    expect(button?.['availability']).toEqual([...usual, { topic: loaderTopic, value_template: template }]);
    const entries = button?.['availability'] as { value_template: string }[];
    const available = (document: object) => render(String(entries[2]?.value_template), document);
    expect(available(documentOf({ armedUntil: '2026-11-22T09:00:00.000Z' }))).toBe('online');
    expect(available(documentOf())).toBe('offline');
    for (const odd of [{}, { armed: null }, { armed: 'true' }]) expect(available(odd)).toBe('offline');
  }
  for (const component of Object.values(others)) expect(component).toHaveProperty('availability', [online]);
});

describe('the update entity', () => {
  const { loader_update } = own();
  const read = (document: object) => render(String(loader_update?.['value_template']), document);
  const shown = (...documents: object[]) => updateEntity(documents.map(read));

  test('shows, and installs nothing', () => {
    expect(loader_update).toMatchObject({ platform: 'update', state_topic: loaderTopic });
    expect(loader_update).not.toHaveProperty('command_topic');
  });

  test.each([
    ['7.1.1-42962', 'on'],
    ['7.2.1-69057', 'off'],
    // The build does not count, and an older one is none.
    ['7.2.1-69000', 'off'],
    ['7.2.2-72806', 'off'],
    ['7.2-64570', 'on'],
    [null, 'unknown'],
  ])('7.2.1-69057 is wanted, %s runs: %s', (version, state) => {
    expect(shown(documentOf({}, version))).toEqual({
      state,
      installed_version: version,
      latest_version: '7.2.1-69057',
      title: 'DSM DS918+',
      release_summary: '',
      in_progress: false,
      update_percentage: null,
    });
  });

  test('tells how far it is, and no more of that when it has ended', () => {
    const begun = documentOf({ phase: 'preflight' });
    const building = documentOf({ phase: 'building', percent: 62 });
    const failed = documentOf({ phase: 'failed', error: 'There is no recipe.', nextStep: 'Look at the log.' });
    expect(shown(begun)).toMatchObject({ in_progress: true, update_percentage: null });
    expect(shown(begun, building)).toMatchObject({ in_progress: true, update_percentage: 62 });
    expect(shown(building, begun)).toMatchObject({ in_progress: true, update_percentage: null });
    expect(shown(building, failed)).toMatchObject({
      ...{ in_progress: false, update_percentage: null },
      release_summary: 'There is no recipe. Look at the log.',
    });
    expect(shown(failed, begun)).toMatchObject({ release_summary: '' });
  });

  test('stays at what was told last when that is not known any more', () => {
    expect(shown(documentOf({}, '7.1.1-42962'), documentOf())).toMatchObject({ installed_version: '7.1.1-42962' });
  });

  test('bears a document without its keys', () => {
    const title = 'DSM';
    for (const odd of [{}, { installed: null, wanted: null }, { installed: {}, wanted: {} }]) {
      expect(shown(odd)).toMatchObject({ state: 'unknown', title, in_progress: false });
    }
  });

  test('is taken whatever the loader says, and claims nothing of what is not known', () => {
    const text = fc.option(fc.string({ unit: 'binary' }), { nil: null });
    fc.assert(
      fc.property(
        fc.record({
          phase: fc.constantFrom(...loaderPhases),
          percent: fc.option(fc.integer({ min: 0, max: 100 }), { nil: null }),
          error: text,
          nextStep: text,
          wanted: fc.record({ model: fc.string(), version: fc.string() }),
        }),
        text,
        (loader, version) => {
          const entity = shown(documentOf(loader, version));
          expect(entity.installed_version).toBe(version);
          expect(entity.state === 'unknown').toBe(version === null);
        },
      ),
    );
  });
});
