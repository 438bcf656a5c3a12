import { redact } from '../loader/redact.ts';

/**
 * Takes out of a document what is about one machine alone, so that it may be shown to strangers: secrets, serial
 * numbers, and, each by a name that stays the same throughout, MACs, UUIDs and addresses.
 */
export class Disguise {
  readonly #names = new Map<string, string>();
  readonly #secrets: readonly string[];

  /** `secrets`: what must not be said whatever it looks like. */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
  }

  /** A copy of plain data; the keys of objects are disguised too. */
  document(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map(item => this.document(item));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, member]) => [this.text(key), this.document(member)]);
    return Object.fromEntries(entries);
  }

  text(text: string): string {
    const named = rules.reduce(
      (before, { kind, pattern, keep }) =>
        before.replaceAll(pattern, match => (keep?.test(match) ? match : this.#name(kind, match))),
      text.replaceAll(serialElement, '$1[serial]$2'),
    );
    return redact(named, this.#secrets);
  }

  #name(kind: string, match: string): string {
    const same = `${kind} ${match.toLowerCase().replaceAll(/[^0-9a-z.]/g, '')}`;
    const count = [...this.#names.keys()].filter(key => key.startsWith(`${kind} `)).length;
    const name = this.#names.get(same) ?? `${kind}-${count + 1}`;
    this.#names.set(same, name);
    return name;
  }
}

/** `<serial>…</serial>`, and an `<entry name='serial'>` of the SMBIOS. */
const serialElement = /(<serial>|<entry name=['"](?:serial|uuid|asset|sku)['"]>)[^<]*(<\/)/g;

const rules: readonly { kind: string; pattern: RegExp; keep?: RegExp }[] = [
  { kind: 'uuid', pattern: /\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi },
  { kind: 'mac', pattern: /\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b/gi },
  { kind: 'mac', pattern: /(?<![0-9a-z])[0-9a-f]{12}(?![0-9a-z])/gi },
  // Not what every machine has, nor a version of four parts that begins with zero.
  { kind: 'ip', pattern: /\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b/g, keep: /^(?:0\.|127\.|255\.)/ },
];
