import { type CommandWord, commandWords, isPermitted, runsAs } from '../../model/commands.ts';
import { loaderPhases, loaderResults } from '../../model/loader.ts';
import { control } from './controls.ts';
import {
  asked,
  binarySensor,
  detail,
  diagnostic,
  type Entity,
  inUnit,
  loader,
  loaderMembers,
  loaderObject,
  oneOf,
  sensor,
  sentence,
  timestamp,
  update,
} from './entity.ts';
import { lookUp } from './template.ts';

/** The loader's rows of the table: its rebuild, and what commands it. */

export function loaderEntities(commands: readonly CommandWord[]): LoaderEntity[] {
  const own = commandWords.filter(word => runsAs('loader', word) && commands.includes(word));
  const buttons = own.map(word => control<'loader'>(word, null, armed));
  return [
    ...buttons,
    ...(isPermitted('arm', commands) ? [control('arm', loader('armed'))] : []),
    loaderUpdate,
    ...sensors,
  ];
}

type LoaderEntity = Entity<'loader' | 'command'>;

/** Available while no confirmation is needed: a button cannot give one. */
const armed = { only_while: loader('armed') } as const;

const at = (...path: Parameters<typeof loader>) => lookUp(loader(...path).path);

/**
 * All values of the update entity in one JSON object, as Home Assistant requires it (core's components/mqtt/update.py).
 * It refuses the whole object if a value is null, except for the percentage; a missing key leaves the old value. So an
 * unknown version is left out, and the entity is unknown until it gets one; values that can end are always there.
 */
const updateMembers = [
  `[('installed_version',${at('installed', 'version')}|d(none)),('latest_version',${at('wanted', 'version')}|d(none))]` +
    "|rejectattr(1,'none')",
  `title=['DSM',${at('wanted', 'model')}]|select('string')|join(' ')`,
  `in_progress=${at('under_way')}|d(false,true)`,
  `update_percentage=${at('percent')}|d(none)`,
  `release_summary=[${at('error')},${at('next_step')}]|select('string')|join(' ')`,
];

/** Without a command: "update everything" must not power the NAS off. */
const loaderUpdate: LoaderEntity = update('loader_update', 'Loader', { topic: 'loader', path: [] }, diagnostic, asked, {
  value_template: `{{dict(${updateMembers.join(',')})|tojson}}`,
  attributes: loaderObject('loader'),
});

const sensors: readonly LoaderEntity[] = [
  sensor('loader_phase', 'Loader phase', loader('phase'), oneOf(loaderPhases), diagnostic, asked, {
    icon: 'mdi:progress-wrench',
    attributes: loaderMembers(
      ...(['step', 'percent', 'started_at', 'ended_at', 'elapsed_seconds', 'code', 'error', 'next_step'] as const),
    ),
  }),
  sensor('loader_result', 'Loader result', loader('result'), oneOf(loaderResults), diagnostic, asked, {
    icon: 'mdi:clipboard-check',
    attributes: loaderMembers('code', 'error', 'next_step'),
  }),
  sensor('loader_progress', 'Loader progress', loader('percent'), inUnit('%'), detail, asked, {
    suggested_display_precision: 0,
    icon: 'mdi:progress-helper',
  }),
  sensor('loader_error', 'Loader error', loader('error'), sentence, detail, asked),
  sensor('loader_backup', 'Last loader backup', loader('backup', 'at'), timestamp, detail, asked, {
    attributes: loaderObject('backup'),
  }),
  sensor('loader_boot_entry', 'Loader boot entry', loader('boot_entry'), sentence, detail, asked),
  binarySensor('loader_rollback', 'Rollback possible', loader('rollback'), detail, asked),
];
