import { existsSync } from 'node:fs';

export const usualPlaces = ['config.yaml', '/config/config.yaml'];

/** The configuration's file, by the name that the user knows; null: there is none. `given`: `--config`. */
export function configFile(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  return given ?? (env['DSM2MQTT_CONFIG'] || (usualPlaces.find(place => existsSync(place)) ?? null));
}
