/** Numbers and times as people read them. Pure: unknown is a dash. */

const dash = '–';

/** `43 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h` */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return dash;
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3_600), Math.floor(whole / 60)];
  if (days > 0) return both(days, 'd', hours % 24, 'h');
  if (hours > 0) return both(hours, 'h', minutes % 60, 'min');
  return minutes > 0 ? both(minutes, 'min', whole % 60, 's') : `${whole} s`;
}

function both(large: number, unit: string, small: number, part: string): string {
  return `${large} ${unit}${small > 0 ? ` ${small} ${part}` : ''}`;
}

/** `12 %`, `3.4 %` */
export function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? dash : `${value.toFixed(value < 9.95 ? 1 : 0)} %`;
}

/** `1.2 MB/s`; a network's in bits. */
export function rate(bytes: number | null | undefined, per: 'B/s' | 'bit/s' = 'B/s'): string {
  return bytes === null || bytes === undefined ? dash : scaled(per === 'B/s' ? bytes : bytes * 8, 1_000, per);
}

/** `32 GiB` */
export function size(bytes: number | null | undefined): string {
  return bytes === null || bytes === undefined ? dash : scaled(bytes, 1_024, 'iB').replace(/(\d) iB/, '$1 B');
}

const prefixes = ['', 'k', 'M', 'G', 'T', 'P'];

function scaled(value: number, step: number, unit: string): string {
  let [number, power] = [value, 0];
  while (number >= step * 0.9995 && power < prefixes.length - 1) {
    number /= step;
    power++;
  }
  const prefix = step === 1_024 ? (prefixes[power] ?? '').toUpperCase() : prefixes[power];
  return `${number.toFixed(number < 9.95 && power > 0 ? 1 : 0)} ${prefix}${unit}`;
}

/** `14:32`, on another day `28 Nov, 14:32`. `zone` for tests. */
export function clock(at: string | number | null, now: number, zone?: string): string {
  const time = typeof at === 'string' ? Date.parse(at) : (at ?? Number.NaN);
  if (Number.isNaN(time)) return dash;
  const day = (value: number) => dateIn(value, zone);
  const text = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: zone }).format(time);
  return day(time) === day(now) ? text : `${day(time)}, ${text}`;
}

/** `28 Nov` */
export function dateIn(time: number, zone?: string): string {
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: zone }).format(time);
}

/** Seconds from one to the other; null: one of them is unknown. */
export function secondsBetween(from: string | null, to: number): number | null {
  const time = Date.parse(from ?? '');
  return Number.isNaN(time) ? null : Math.max(0, (to - time) / 1_000);
}

/** A stable word as people read it: `force_off` is `force off`. */
export function spaced(word: string | null): string {
  return word === null ? dash : word.replaceAll('_', ' ').replace('dsm', 'DSM');
}

/** `Force off` */
export function titled(word: string | null): string {
  return spaced(word).replace(/^./, first => first.toUpperCase());
}
