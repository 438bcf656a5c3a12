import type { CommandWord } from '../../model/command.ts';
import { binarySensor, button, type Entity, image, type Row, state, toggle } from './entity.ts';
import { asked, detail } from './traits.ts';

/** The part of the table that commands: what can be pressed and switched, and what it brings with it. */

export interface VmControls {
  /** Commands that may be given: none when read-only. */
  commands: readonly CommandWord[];
  /** `config` keeps "turn off everything" and voice assistants from taking the NAS down. */
  powerCategory: 'config' | null;
  /** A loader is configured. */
  loader: boolean;
}

/** A switch promises both directions, so it takes both commands; without it the state still tells. */
export function controlEntities({ commands, powerCategory }: VmControls): Control[] {
  const may = (word: CommandWord) => commands.includes(word);
  const category = powerCategory && { entity_category: powerCategory };
  const power = toggle('power', null, state('power'), { ...category, command_topic: 'power', icon: 'mdi:nas' });
  return [
    ...(may('start') && may('shutdown') ? [power] : []),
    ...buttons.filter(({ key }) => may(key)),
    may('autostart') ? autostartSwitch : binarySensor('autostart', 'Autostart', state('autostart'), detail),
    ...(may('screenshot') ? [screen] : []),
  ];
}

type Control = Entity<'state' | 'power' | 'command' | 'screen'>;

const press = { command_topic: 'command' } as const;
/** Off until somebody wants it, and never beside the harmless ones. */
const rare = { ...press, enabled_by_default: false } as const;
export const serious = { ...rare, entity_category: 'config' } as const;

/** The key is the command. */
const buttons: readonly (Control & { key: CommandWord })[] = [
  pressed('start', 'Start', 'mdi:play', press),
  pressed('shutdown', 'Shut down', 'mdi:power', press),
  pressed('cancel', 'Cancel', 'mdi:cancel', rare),
  pressed('reboot', 'Reboot', 'mdi:restart', serious),
  pressed('suspend', 'Pause', 'mdi:pause', serious),
  pressed('resume', 'Resume', 'mdi:play-pause', serious),
  pressed('reset', 'Reset', 'mdi:restart-alert', serious),
  pressed('force_off', 'Power cut', 'mdi:power-plug-off', serious),
  pressed('screenshot', 'Take screenshot', 'mdi:monitor-screenshot', { ...rare, entity_category: 'diagnostic' }),
  pressed('check', 'Check', 'mdi:stethoscope', { ...rare, ...asked, entity_category: 'diagnostic' }),
  pressed('refresh', 'Refresh', 'mdi:refresh', { ...rare, entity_category: 'diagnostic' }),
];

export function pressed<T extends string>(
  key: CommandWord,
  name: string,
  icon: `mdi:${string}`,
  ...traits: Row<T>[]
): Entity<T> & { key: CommandWord } {
  return { ...button<T>(key, name, null, ...traits, { payload_press: key, icon }), key };
}

const autostartSwitch: Control = toggle('autostart', 'Autostart', state('autostart'), commanded('autostart'), {
  icon: 'mdi:power-cycle',
});

/** The traits of a switch whose command says which way. */
export function commanded(word: CommandWord) {
  return {
    ...serious,
    reading: 'flag',
    payload_on: JSON.stringify({ command: word, enabled: true }),
    payload_off: JSON.stringify({ command: word, enabled: false }),
    state_on: 'ON',
    state_off: 'OFF',
  } as const;
}

const screen: Control = image('screen', 'Screen', null, {
  image_topic: 'screen',
  content_type: 'image/png',
  ...detail,
});
