import { resolve } from 'node:path';
import { type Config, configSchema } from './config.ts';
import { applyOverrides, type Environment, type Override, readEnvironment } from './environment.ts';
import { explain } from './explain.ts';
import { readText } from './files.ts';
import { configFile, usualPlaces } from './place.ts';
import { ConfigError, type Issue, type Path, type Problem } from './problem.ts';
import { childShape, jsonSchema, pathText, type Shape } from './shape.ts';
import { isMapping } from './value.ts';
import { parseYaml, type YamlFile } from './yaml.ts';

/** Makes a checked configuration, or reports every problem at once. The environment overrides the file. */

export interface LoadOptions {
  /** `--config`; it overrides `DSM2MQTT_CONFIG` and the usual places. */
  config?: string | undefined;
  env: Environment;
  /** What is wrong with a libvirt URI, or null; the client knows best which URIs work. */
  checkUri?: (uri: string, readOnly: boolean) => string | null;
}

export interface Loaded {
  config: Config;
  sources: {
    /** Null when everything comes from the environment. */
    file: string | null;
    /** Names of the variables that set something. */
    environment: readonly string[];
  };
}

/** Relative paths are relative to the process's directory. @throws {ConfigError} */
export async function loadConfig({ config, env, checkUri }: LoadOptions): Promise<Loaded> {
  const { overrides, problems } = readEnvironment(env);
  const file = configFile(config, env);
  if (file === null && overrides.length === 0) throw new ConfigError([nothingFound(), ...problems]);
  const yaml = file === null ? null : await readYaml(file, problems);
  const merged = applyOverrides(withEmptySections(yaml?.data ?? null, jsonSchema), overrides);
  const parsed = await configSchema.safeParseAsync(withMqtt(merged.data), { reportInput: true });
  const issues = parsed.error?.issues.flatMap(explain) ?? [];
  if (parsed.data && checkUri) {
    for (const [index, { name, uri, readOnly }] of parsed.data.hosts.entries()) {
      const message = checkUri(uri, readOnly);
      const path = name === null ? ['libvirt', 'uri'] : ['libvirt', index, 'uri'];
      if (message !== null) issues.push({ path, message, hint: null, at: 'value' });
    }
  }
  problems.push(...merged.problems, ...place(issues, locator(file, yaml, overrides)));
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return {
    config: parsed.data,
    sources: { file, environment: overrides.map(({ variable }) => variable) },
  };
}

async function readYaml(file: string, others: readonly Problem[]): Promise<YamlFile> {
  const text = await readText(resolve(file));
  if (typeof text !== 'string') throw new ConfigError([{ where: file, path: '', ...text }, ...others]);
  const yaml = parseYaml(text);
  if (yaml.errors.length === 0) return yaml;
  const problems = yaml.errors.map(({ offset, ...fault }) => ({
    where: `${file}:${yaml.position(offset)}`,
    path: '',
    ...fault,
  }));
  throw new ConfigError([...problems, ...others]);
}

/** A section whose every key is commented out reads as nothing: an empty section. */
function withEmptySections(value: unknown, shape: Shape | null): unknown {
  if (shape?.type === 'object' || (isMapping(shape?.default) && !Array.isArray(value))) {
    if (value === null) return {};
    if (!isMapping(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, withEmptySections(child, childShape(shape, key))]),
    );
  }
  // Only as deep as the schema: a YAML list can contain itself.
  const items = childShape(shape, 0);
  return items && Array.isArray(value) ? value.map(item => withEmptySections(item, items)) : value;
}

/** So that for a file without the section, the message names `mqtt.url`, and not `mqtt`. */
function withMqtt(data: unknown): unknown {
  return isMapping(data) ? { mqtt: {}, ...data } : data;
}

type Locator = (path: Path, at: Issue['at']) => { offset: number; where: string };

/** Where a path comes from, the file's offsets first. */
function locator(file: string | null, yaml: YamlFile | null, overrides: readonly Override[]): Locator {
  return (path, at) => {
    const override = overrides.find(other => other.path.every((step, index) => step === path[index]));
    if (override || !yaml)
      return { offset: Number.MAX_SAFE_INTEGER, where: `environment ${override?.variable ?? ''}`.trim() };
    const offset = yaml.locate(path, at);
    return { offset, where: `${file}:${yaml.position(offset)}` };
  };
}

/** Gives every issue its place, in the order of the file. */
function place(issues: readonly Issue[], locate: Locator): Problem[] {
  return issues
    .map(({ path, message, hint, at }) => ({ ...locate(path, at), path: pathText(path), message, hint }))
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset: _, ...problem }) => problem);
}

function nothingFound(): Problem {
  const looked = usualPlaces.map(place => resolve(place)).join(', ');
  const hint = 'name a file with --config or DSM2MQTT_CONFIG, or set DSM2MQTT_MQTT__URL and DSM2MQTT_VMS__0__DOMAIN';
  return { where: 'configuration', path: '', message: `no file found; looked for ${looked}`, hint };
}
