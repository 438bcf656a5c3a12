import { lookUp, quote } from './template.ts';

/** Where an update entity's values are. */
interface UpdatePlaces {
  installed_version: Path;
  latest_version: Path;
  /** A word, and what follows it. */
  title: readonly [string, Path];
  in_progress: Path;
  update_percentage: Path;
  /** Sentences, those that there are. */
  release_summary: readonly Path[];
}

type Path = readonly string[];

/**
 * All of them as the one JSON object that Home Assistant takes, from core's components/mqtt/update.py: a null refuses it
 * whole, except as the percentage, and a key that is not there leaves what was there before. So a version that is not
 * known is left out, and the entity is unknown until it is told one; what can end is always there.
 */
export function updateTemplate(places: UpdatePlaces): string {
  const versions = (['installed_version', 'latest_version'] as const).map(
    name => `(${quote(name)}, ${lookUp(places[name])} | default(none))`,
  );
  const [word, named] = places.title;
  const members = [
    `[${versions.join(', ')}] | rejectattr(1, 'none')`,
    `title=[${[quote(word), lookUp(named)].join(', ')}] | select('string') | join(' ')`,
    `in_progress=${lookUp(places.in_progress)} | default(false, true)`,
    `update_percentage=${lookUp(places.update_percentage)} | default(none)`,
    `release_summary=[${places.release_summary.map(lookUp).join(', ')}] | select('string') | join(' ')`,
  ];
  return `{{ dict(${members.join(', ')}) | tojson }}`;
}
