import { abbreviations } from '../../src/discovery/entities/abbreviations.ts';
import type { DevicePayload } from '../../src/discovery/entities/payload.ts';

type Part = Record<string, unknown>;

/**
 * A discovery message in full words, its common options in each component that has none of its own; modelled on core's
 * components/mqtt/discovery.py of 2025.10 to 2026.11.
 */
export function expanded(message: string): DevicePayload {
  const { state_topic, components, ...root } = named(JSON.parse(message), 'options');
  const each = Object.entries(components as Record<string, Part>).map(([key, part]) => {
    const component = named(part, 'options');
    // What is to be removed gets nothing, and a button or an image would drop it.
    const takes =
      !['button', 'device_automation', 'image'].includes(String(component['platform'])) &&
      Object.keys(component).length > 1;
    return [key, { ...(takes && state_topic !== undefined && { state_topic }), ...component }];
  });
  const [device, origin] = [named(root['device'] as Part, 'device'), named(root['origin'] as Part, 'origin')];
  return { ...root, device, origin, components: Object.fromEntries(each) } as unknown as DevicePayload;
}

/** Whether a discovery message links to DSM's page: a check has found it. */
export function announcesPage(message: string): boolean {
  return message !== '' && 'configuration_url' in expanded(message).device;
}

function named(part: Part, table: keyof typeof abbreviations): Part {
  const full = new Map(Object.entries(abbreviations[table]).map(([name, short]) => [short, name]));
  const words = ([short, value]: [string, unknown]) => {
    const name = full.get(short) ?? short;
    return [name, name === 'availability' ? (value as Part[]).map(each => named(each, 'options')) : value];
  };
  return Object.fromEntries(Object.entries(part).map(words));
}
