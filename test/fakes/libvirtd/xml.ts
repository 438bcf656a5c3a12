import { readFileSync } from 'node:fs';
import { parseDomain } from '../../../src/vm/xml.ts';

/** Domain XML as far as a fake needs to understand it: by patterns, on XML that the tests write themselves. */

export interface Hardware {
  vcpus: number;
  /** KiB */
  memory: number;
  disks: { target: string; source: string | null }[];
  macs: string[];
}

export interface XmlOptions {
  name?: string;
  uuid?: string;
  mac?: string;
}

const seed = readFileSync(new URL('../../lab/dsm.xml', import.meta.url), 'utf8');

/** The DSM of the lab: two SCSI disks, the loader on USB, one NIC on br0; under another identity if given. */
export function dsmXml({ name = 'DSM', uuid, mac }: XmlOptions = {}): string {
  return seed
    .replace(/<name>.*?<\/name>/, () => `<name>${escapeXml(name)}</name>`)
    .replace(/<uuid>(.*?)<\/uuid>/, (_, old) => `<uuid>${uuid ?? old}</uuid>`)
    .replace(/<mac address='(.*?)'/, (_, old) => `<mac address='${mac ?? old}'`);
}

export function identity(xml: string): { name: string; uuid: string } {
  const name = /<name>(.*?)<\/name>/s.exec(xml)?.[1];
  const uuid = /<uuid>(.*?)<\/uuid>/.exec(xml)?.[1];
  if (name === undefined || uuid === undefined) throw new TypeError('domain XML needs a name and a uuid');
  return { name: unescapeXml(name), uuid };
}

const topLevel =
  /^([@#?].*|name|uuid|title|description|metadata|memory|currentMemory|vcpu|resource|os|features|cpu|clock|on_\w+|pm|devices|seclabel|qemu:\w+)$/;

/** The first element directly below `domain` that libvirt does not know. */
export function outsideSchema(xml: string): string | undefined {
  const children = Object.keys(parseDomain(xml) ?? {});
  return children.find(name => !topLevel.test(name));
}

export function renamed(xml: string, name: string): string {
  return xml.replace(/<name>.*?<\/name>/s, () => `<name>${escapeXml(name)}</name>`);
}

export function hardware(xml: string): Hardware {
  const memory = /<memory(?: unit='(\w+)')?>(\d+)</.exec(xml);
  return {
    vcpus: Number(/<vcpu[^>]* current='(\d+)'/.exec(xml)?.[1] ?? /<vcpu[^>]*>(\d+)</.exec(xml)?.[1] ?? 1),
    memory: Number(memory?.[2] ?? 0) * ({ MiB: 1024, GiB: 1024 ** 2 }[memory?.[1] ?? ''] ?? 1),
    disks: [...xml.matchAll(/<disk [^>]*>(.*?)<\/disk>/gs)].map(([, disk = '']) => ({
      target: /<target dev='(.*?)'/.exec(disk)?.[1] ?? '',
      source: sourceOf(/<source (?:file|dev|name|volume)='(.*?)'/.exec(disk)?.[1]),
    })),
    macs: [...xml.matchAll(/<interface [^>]*>.*?<mac address='(.*?)'.*?<\/interface>/gs)].map(([, mac = '']) => mac),
  };
}

/** What libvirt makes of a definition when it starts the domain: an id, and a tap for every interface. */
export function liveXml(xml: string, id: number, tap: () => string): string {
  return xml
    .replace(/<domain /, () => `<domain id='${id}' `)
    .replace(/(<interface [^>]*>.*?)(<model |<\/interface>)/gs, (_, head, tail) => {
      return `${head}<target dev='${tap()}'/>\n      ${tail}`;
    });
}

export function withMemoryPeriod(xml: string, seconds: number): string {
  return xml.replace(/(<memballoon [^>]*>)/, head => `${head}\n      <stats period='${seconds}'/>`);
}

/** The taps in live XML, in order. */
export function taps(xml: string): string[] {
  return [...xml.matchAll(/<interface [^>]*>.*?<target dev='(.*?)'.*?<\/interface>/gs)].map(([, tap = '']) => tap);
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;' };

function escapeXml(text: string): string {
  return text.replaceAll(/[&<>'"]/g, character => entities[character] ?? character);
}

function unescapeXml(text: string): string {
  return Object.entries(entities)
    .reverse()
    .reduce((rest, [character, entity]) => rest.replaceAll(entity, character), text);
}

function sourceOf(text: string | undefined): string | null {
  return text === undefined ? null : unescapeXml(text);
}
