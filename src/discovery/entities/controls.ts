import type { GuestKind } from '../../model/check.ts';
import { type CommandWord, commandWords, rowOf, runsAs } from '../../model/commands.ts';
import {
  asked,
  binarySensor,
  button,
  detail,
  type Entity,
  image,
  type Row,
  state,
  stateObject,
  toggle,
  type Value,
} from './entity.ts';

/** The rows of the table that give commands: buttons and switches, and their options. */

export interface VmControls {
  /** The permitted commands: none when read-only. */
  commands: readonly CommandWord[];
  /** `config` keeps "turn off everything" and voice assistants from taking the NAS down. */
  powerCategory: 'config' | null;
  loader: boolean;
  guest: GuestKind;
  /** Certificates are looked at. */
  certificates: boolean;
}

/** A switch needs both commands; without it, the state entity still shows the power. */
export function controlEntities({ guest, commands, powerCategory }: VmControls): Control[] {
  const may = (word: CommandWord) => commands.includes(word);
  const category = powerCategory && { entity_category: powerCategory };
  const power = toggle('power', null, state('power'), { ...category, command_topic: 'power', icon: icons[guest] });
  return [
    ...(may('start') && may('shutdown') ? [power] : []),
    ...commandWords.filter(word => may(word) && isPlainButton(word)).map(word => control<never>(word)),
    may('autostart')
      ? control('autostart', state('autostart'))
      : binarySensor('autostart', 'Autostart', state('autostart'), detail),
    ...(may('quiet') ? [control('quiet', state('quiet', 'on'), { attributes: stateObject('quiet') })] : []),
    ...(may('screenshot') ? [screen] : []),
  ];
}

const icons = { dsm: 'mdi:nas', other: 'mdi:desktop-tower' } as const satisfies Record<GuestKind, string>;

/** The loader's buttons exist only where a loader is configured. */
function isPlainButton(word: CommandWord): boolean {
  return rowOf(word).entity?.as === 'button' && !runsAs('loader', word);
}

type Control = Entity<'state' | 'power' | 'command' | 'screen'>;

/** The button or switch of a command, from its row in the table of commands. */
export function control<T extends string>(
  word: CommandWord,
  value: Value<T> | null = null,
  ...more: Row<T>[]
): Entity<T | 'command'> {
  const { entity } = rowOf(word);
  if (!entity) throw new Error(`${word} has no entity`);
  const { as, name, icon, kind, withoutLibvirt } = entity;
  const traits = [{ icon, command_topic: 'command' }, kinds[kind], withoutLibvirt ? asked : {}, ...more] as const;
  if (as === 'button') return button<T | 'command'>(word, name, value, ...traits, { payload_press: word });
  return toggle<T | 'command'>(word, name, value, ...traits, {
    reading: 'flag',
    payload_on: JSON.stringify({ command: word, enabled: true }),
    payload_off: JSON.stringify({ command: word, enabled: false }),
    state_on: 'ON',
    state_off: 'OFF',
  });
}

const kinds = {
  usual: {},
  rare: { enabled_by_default: false },
  diagnostic: { enabled_by_default: false, entity_category: 'diagnostic' },
  setting: { entity_category: 'config' },
  serious: { enabled_by_default: false, entity_category: 'config' },
} as const;

const screen: Control = image('screen', 'Screen', null, {
  image_topic: 'screen',
  content_type: 'image/png',
  ...detail,
});
