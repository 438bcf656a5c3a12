/** Reads the container template for Unraid, and makes of it the container that Unraid makes of it. */
import { readFileSync } from 'node:fs';
import { XMLParser } from 'fast-xml-parser';

/** What Unraid reads besides settings, in the order in which it writes it. */
export const elements = [
  ...(['Name', 'Repository', 'Registry', 'Network', 'MyIP', 'MyMAC', 'Shell', 'Privileged', 'Support'] as const),
  ...(['Project', 'ReadMe', 'Overview', 'Category', 'WebUI', 'TemplateURL', 'Icon', 'ExtraParams'] as const),
  ...(['PostArgs', 'CPUset', 'DonateText', 'DonateLink', 'Requires'] as const),
];

export type Setting = Readonly<
  Record<'Name' | 'Target' | 'Default' | 'Mode' | 'Description' | 'Display' | 'Required' | 'Mask' | 'value', string>
> & { readonly Type: 'Path' | 'Port' | 'Variable' | 'Label' | 'Device' };

export interface Template {
  readonly version: string;
  /** Of every element but Config, in their order. */
  readonly texts: Readonly<Partial<Record<(typeof elements)[number], string>>>;
  readonly settings: readonly Setting[];
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  textNodeName: 'value',
  alwaysCreateTextNode: true,
  parseTagValue: false,
  isArray: name => name === 'Config',
});

export function template(): Template {
  const text = readFileSync(new URL('../../deploy/unraid/dsm2mqtt.xml', import.meta.url), 'utf8');
  const { version, Config, value: _, ...others } = parser.parse(text).Container;
  const texts = Object.entries<{ value: string }>(others).map(([name, { value }]) => [name, value]);
  return { version, texts: Object.fromEntries(texts), settings: Config };
}

/** What follows `docker create`, in Unraid's order. `values` has what the user filled in, by target. */
export function createArguments(values: Readonly<Record<string, string>>, image: string): string[] {
  const { texts, settings } = template();
  const chosen = settings.map(setting => ({ ...setting, value: values[setting.Target] ?? setting.value }));
  return [
    ...[`--name=${texts.Name}`, `--net=${texts.Network}`, '--pids-limit', '2048', '-e', 'TZ=Europe/Berlin'],
    ...['-e', 'HOST_OS=Unraid', '-e', 'HOST_HOSTNAME=Tower', '-e', `HOST_CONTAINERNAME=${texts.Name}`],
    ...chosen.flatMap(({ Type, Target, value }) => (Type === 'Variable' ? ['-e', `${Target}=${value}`] : [])),
    ...['-l', 'net.unraid.docker.managed=dockerman'],
    ...chosen.flatMap(({ Type, Target, value, Mode }) => (Type === 'Path' ? ['-v', `${value}:${Target}:${Mode}`] : [])),
    ...(texts.ExtraParams?.split(' ') ?? []),
    image,
  ];
}
