/**
 * What Home Assistant makes of the texts that an update entity's template gives, one after the other; modelled on core's
 * components/mqtt/update.py and components/update/entity.py of 2025.10 to 2026.11. Throws where it would refuse one.
 */
export function updateEntity(texts: readonly string[]): UpdateEntity {
  const seen = Object.assign({}, nothing, ...texts.map(accepted));
  const { in_progress, update_percentage, ...rest } = seen;
  return { ...rest, state: stateOf(seen), in_progress, update_percentage: in_progress ? update_percentage : null };
}

interface Told {
  installed_version: string | null;
  latest_version: string | null;
  title: string | null;
  release_summary: string | null;
  in_progress: boolean;
  update_percentage: number | null;
}

interface UpdateEntity extends Told {
  state: 'on' | 'off' | 'unknown';
}

const nothing: Told = {
  ...{ installed_version: null, latest_version: null, title: null, release_summary: null },
  ...{ in_progress: false, update_percentage: null },
};

const members: Record<string, (value: unknown) => boolean> = {
  installed_version: isText,
  latest_version: isText,
  title: isText,
  release_summary: isText,
  release_url: isText,
  entity_picture: isText,
  in_progress: value => typeof value === 'boolean',
  update_percentage: value => value === null || (typeof value === 'number' && value >= 0 && value <= 100),
};

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

/** A text that is no object it takes for the installed version: none of ours may be one. */
function accepted(text: string): object {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new TypeError(`it would be shown as a version: ${text}`);
  for (const [name, member] of Object.entries(value)) {
    if (!members[name]?.(member)) throw new TypeError(`schema violation: ${name} is ${JSON.stringify(member)}`);
  }
  return { ...('update_percentage' in value && { in_progress: value.update_percentage !== null }), ...value };
}

function stateOf({ installed_version: installed, latest_version: latest }: Told): UpdateEntity['state'] {
  if (installed === null || latest === null) return 'unknown';
  if (installed === latest) return 'off';
  const [has, wants] = [release(installed), release(latest)];
  // What it cannot compare it takes for an update.
  if (!has || !wants) return 'on';
  return wants.localeCompare(has, 'en', { numeric: true }) > 0 ? 'on' : 'off';
}

/** What it compares of `7.1.1-42962`: not the build. Null: `7.2-64570`, which it cannot read. */
function release(version: string): string | null {
  return /^(\d+\.\d+\.\d+)-\d+$/.exec(version)?.[1] ?? null;
}
