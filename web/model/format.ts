/** Numbers and times as people read them. Pure: unknown is a dash. */

type Maybe = number | null | undefined;

function known(value: Maybe, text: (value: number) => string): string {
  return value === null || value === undefined ? '–' : text(value);
}

/** `3.4`, `12` */
export function number(value: Maybe): string {
  return known(value, it => it.toFixed(it < 9.95 ? 1 : 0));
}

/** `12 %`, `3.4 %` */
export function percent(value: Maybe): string {
  return known(value, it => `${number(it)} %`);
}

/** `1.2 MB/s`; a network's in bits. */
export function rate(bytes: Maybe, per: 'B/s' | 'bit/s' = 'B/s'): string {
  return known(bytes, it => scaled(per === 'B/s' ? it : it * 8, 1_000, ['', 'k', 'M', 'G', 'T', 'P'], per));
}

/** `32 GiB` */
export function size(bytes: Maybe): string {
  return known(bytes, it => scaled(it, 1_024, ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'], 'B'));
}

function scaled(value: number, step: number, prefixes: readonly string[], unit: string): string {
  const power = prefixes.findIndex((_, at) => value < step ** (at + 1) * 0.9995 || at === prefixes.length - 1);
  const scale = value / step ** power;
  return `${power === 0 ? scale.toFixed(0) : number(scale)} ${prefixes[power]}${unit}`;
}

/** `43 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h` */
export function duration(seconds: number | null): string {
  const whole = Math.max(0, Math.round(seconds ?? 0));
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3_600), Math.floor(whole / 60)];
  if (days > 0) return both(days, 'd', hours % 24, 'h');
  if (hours > 0) return both(hours, 'h', minutes % 60, 'min');
  if (minutes > 0) return both(minutes, 'min', whole % 60, 's');
  return known(seconds, () => `${whole} s`);
}

function both(large: number, unit: string, small: number, part: string): string {
  return `${large} ${unit}${small > 0 ? ` ${small} ${part}` : ''}`;
}

/** `14:32`, on another day `28 Nov, 14:32`, as this browser's time is. */
export function clock(at: string | number | null, now: number): string {
  const time = new Date(at ?? Number.NaN);
  if (Number.isNaN(time.getTime())) return '–';
  const text = time.toTimeString().slice(0, 5);
  return dateIn(time) === dateIn(now) ? text : `${dateIn(time)}, ${text}`;
}

/** `28 Nov` */
export function dateIn(time: Date | number): string {
  const [, month, day] = new Date(time).toDateString().split(' ');
  return `${Number(day)} ${month}`;
}

/** Seconds from one to the other; null: one of them is unknown. */
export function secondsBetween(from: string | null, to: number): number | null {
  return from === null ? null : Math.max(0, (to - Date.parse(from)) / 1_000);
}

/** A stable word as people read it: `force_off` is `force off`. */
export function spaced(word: string | null): string {
  return word === null ? '–' : word.replaceAll('_', ' ').replace('dsm', 'DSM');
}

/** `Force off` */
export function titled(word: string | null): string {
  return spaced(word).replace(/^./, first => first.toUpperCase());
}
