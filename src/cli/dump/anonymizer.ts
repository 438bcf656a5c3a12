import { isIPv6 } from 'node:net';
import { redact } from '../../loader/redact.ts';
import { anonymizeXml } from './anonymize-xml.ts';

/**
 * Takes out of a document what is about one machine alone, so that it may be shown to strangers: secrets, serial
 * numbers, and, each by a name that stays the same throughout, MACs, UUIDs, addresses, WWNs and targets.
 */
export class Anonymizer {
  readonly #names = new Map<string, string>();
  readonly #secrets: readonly string[];

  /** `secrets`: what must not be said whatever it looks like. */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
  }

  /** A copy of plain data; it renames the keys of objects too. */
  document(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map(item => this.document(item));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, member]) => [this.text(key), this.document(member)]);
    return Object.fromEntries(entries);
  }

  /** A domain's XML. */
  xml(xml: string): string {
    return this.text(anonymizeXml(xml));
  }

  text(text: string): string {
    const named = rules.reduce(
      (before, { kind, pattern, is = () => true }) =>
        before.replaceAll(pattern, match => (is(match) ? this.#name(kind, match) : match)),
      text,
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

interface Rule {
  kind: string;
  pattern: RegExp;
  /** Whether a match is one; default: always. */
  is?: (match: string) => boolean;
}

/** What has a shape of its own, wherever it is; the longer ones first. */
const rules: readonly Rule[] = [
  // A device by its serial number, its WWN, or the path to it, which may be an iSCSI target: with its partition.
  {
    kind: 'device',
    pattern: /(?<=\/dev\/disk\/by-[a-z]+\/)[^\s'",<>&]+?(?=(?:-part[0-9]+)?(?:[\s'",<>&]|$))/g,
    is: match => !/^device-[0-9]+$/.test(match),
  },
  { kind: 'target', pattern: /\b(?:iqn\.[0-9]{4}-[0-9]{2}|nqn\.[0-9]{4}-[0-9]{2}|eui|naa)\.[^\s'",<>&/]+/gi },
  { kind: 'uuid', pattern: /\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi },
  { kind: 'wwn', pattern: /\b(?:[0-9a-f]{2}[:-]){7,}[0-9a-f]{2}\b/gi },
  { kind: 'mac', pattern: /\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b/gi },
  { kind: 'mac', pattern: /(?<![0-9a-z])[0-9a-f]{12}(?![0-9a-z])/gi },
  {
    kind: 'ip',
    pattern: /(?<![0-9a-z:.])[0-9a-f:]+:[0-9a-f:.]+(?![0-9a-z:])/gi,
    is: match => isIPv6(match) && !/^::1?$/.test(match),
  },
  // Not what every machine has, nor a version of four parts that begins with zero.
  { kind: 'ip', pattern: /\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b/g, is: match => !/^(?:0\.|127\.|255\.)/.test(match) },
  // A WWN, or multipath's name of one: `3` before it. It may be all letters.
  { kind: 'id', pattern: /(?<![0-9a-z])(?:0x|3)?(?:[0-9a-f]{16}){1,2}(?![0-9a-z])/gi },
  { kind: 'id', pattern: /(?<![0-9a-z])[0-9a-z]{8,}(?![0-9a-z])/gi, is: isSerial },
];

/** Letters and digits as no word has them: a serial number or a WWN, as in the name of a file. */
function isSerial(word: string): boolean {
  // A time, a number in hex, and DSM's models and platforms (DS3622xs+, ds3622xsp) are none.
  if (/^[0-9]{8}T[0-9]+Z?$|^0x[0-9a-f]{1,8}$/i.test(word) || model.test(word)) return false;
  const digits = word.replaceAll(/[^0-9]/g, '').length;
  if (digits === word.length) return digits >= 12;
  return digits >= 3 || (digits >= 2 && word === word.toUpperCase());
}

/** With the endings that Synology has: one of any letters could be a serial number. */
const model = /^(?:DS|RS|FS|SA|DVA)[0-9]{3,4}(?:air|p|play|rp|rpp|rpxs|rpxsp|slim|xs|xsp)?$/i;
