import type { Traits } from './entity.ts';

/** What values are: the topics carry base units, these are the ones that people read. Rows combine them. */

export const percent = measure('%', { digits: 1, shown: 1 });
export const perSecond = (what: string) => measure(`${what}/s`, { digits: 1, shown: 1 });
export const seconds = measure('s', { digits: 1, shown: 0, device_class: 'duration' });
export const milliseconds = measure('ms', { digits: 2, shown: 1, device_class: 'duration' });
export const megabytesPerSecond = measure('MB/s', { per: 1e6, digits: 3, shown: 2, device_class: 'data_rate' });
export const megabitsPerSecond = measure('Mbit/s', { per: 1e6 / 8, digits: 3, shown: 2, device_class: 'data_rate' });
export const mebibytes = measure('MiB', { per: 2 ** 20, digits: 1, shown: 0, device_class: 'data_size' });
export const gigabytes = measure('GB', { per: 1e9, digits: 3, shown: 1, device_class: 'data_size' });

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

interface Scale {
  /** Base units in one of these. */
  per?: number;
  /** Decimals kept: a change beyond them is noise that would fill the recorder. */
  digits: number;
  /** Decimals displayed. */
  shown: number;
  device_class?: 'data_rate' | 'data_size' | 'duration';
}

function measure(unit: string, { per = 1, digits, shown, device_class }: Scale): Traits {
  return {
    reading: { per, digits },
    ...(device_class && { device_class }),
    state_class: 'measurement',
    unit_of_measurement: unit,
    suggested_display_precision: shown,
  };
}
