import { type Unit, type UnitRow, units } from '../../model/metrics.ts';
import type { Traits } from './entity.ts';

/** The kinds of values: the topics have base units, these are the units for people. Rows combine them. */

/** A number of the topic in a unit. */
export function inUnit(unit: Unit): Traits {
  const { per = 1, digits, shown, device_class }: UnitRow = units[unit];
  return {
    reading: { per, digits },
    ...(device_class && { device_class }),
    state_class: 'measurement',
    unit_of_measurement: unit,
    suggested_display_precision: shown,
  };
}

/** A counter that only grows, and starts anew with the VM. */
export const total = { state_class: 'total_increasing' } as const;

export const timestamp = { device_class: 'timestamp' } as const;
export const sentence = { reading: 'sentence' } as const;
export const oneOf = (options: readonly string[]) => ({ device_class: 'enum', options }) as const;

/** How the device itself does, apart from what it does. */
export const diagnostic = { entity_category: 'diagnostic' } as const;
/** For those who look for it: off until it is wanted. */
export const detail = { ...diagnostic, enabled_by_default: false } as const;

/** DSM can be asked while libvirt is away, and things happen then too. */
export const asked = { available: 'bridge' } as const;
