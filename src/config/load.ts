import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buildConfig, type Config } from './config.ts';
import { applyOverrides, type Environment, type Override, readEnvironment } from './environment.ts';
import { explain } from './explain.ts';
import { readNamedFiles, readText } from './files.ts';
import { ConfigError, type Issue, type Problem } from './problem.ts';
import { crossCheck } from './rules.ts';
import { configSchema, type RawConfig } from './schema.ts';
import { jsonSchema, pathText } from './shape.ts';
import { withEmptySections } from './value.ts';
import { parseYaml, type YamlFile } from './yaml.ts';

/** File and environment to a checked configuration, or every problem at once. Environment goes over file. */

export interface LoadOptions {
  /** `--config`; goes over `DSM2MQTT_CONFIG` and the usual places. */
  config?: string | undefined;
  env: Environment;
  /** What is wrong with a libvirt URI, or null; the client knows best what it can dial. */
  checkUri?: (uri: string, readOnly: boolean) => string | null;
  /** Where relative paths start; default the process's directory. */
  cwd?: string;
}

export interface Loaded {
  config: Config;
  sources: Sources;
}

interface Sources {
  /** Null when everything comes from the environment. */
  file: string | null;
  /** Names of the variables that set something. */
  environment: readonly string[];
}

const usualPlaces = ['config.yaml', '/config/config.yaml'];

/** @throws {ConfigError} */
export async function loadConfig({ config, env, checkUri, cwd = process.cwd() }: LoadOptions): Promise<Loaded> {
  const environment = readEnvironment(env);
  const file = await findFile(config ?? (env['DSM2MQTT_CONFIG'] || undefined), cwd);
  if (file === null && environment.overrides.length === 0) throw nothingFound(cwd, environment.problems);
  const yaml = file === null ? null : await readYaml(file, cwd, environment.problems);

  const merged = applyOverrides(withEmptySections(yaml?.data ?? null, jsonSchema), environment.overrides);
  const data = withMqtt(merged.data);
  const parsed = configSchema.safeParse(data);
  const named = await readNamedFiles(data, cwd);
  const issues = [
    ...distinct(parsed.error?.issues.flatMap(issue => explain(issue, data)) ?? []),
    ...crossCheck(data),
    ...(parsed.data && checkUri ? checkLibvirt(parsed.data.libvirt, checkUri) : []),
    ...named.issues,
  ];
  const problems = [...environment.problems, ...merged.problems, ...place(issues, file, yaml, environment.overrides)];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return {
    config: buildConfig(parsed.data, named.files),
    sources: { file, environment: environment.overrides.map(({ variable }) => variable) },
  };
}

/** As it was named, so that messages show what the user knows. */
async function findFile(named: string | undefined, cwd: string): Promise<string | null> {
  if (named !== undefined) return named;
  for (const place of usualPlaces) {
    const there = await access(resolve(cwd, place)).then(
      () => true,
      () => false,
    );
    if (there) return place;
  }
  return null;
}

async function readYaml(file: string, cwd: string, others: readonly Problem[]): Promise<YamlFile> {
  const text = await readText(resolve(cwd, file));
  if (typeof text !== 'string') {
    throw new ConfigError([{ where: file, path: '', ...text, source: null }, ...others]);
  }
  const yaml = parseYaml(text);
  if (yaml.errors.length === 0) return yaml;
  const inOrder = yaml.errors.toSorted((a, b) => a.offset - b.offset);
  const problems = inOrder.map(({ offset, issue }) => ({ path: '', ...issue, ...inFile(file, yaml, offset) }));
  throw new ConfigError([...problems, ...others]);
}

/** So that a file without the section is told of `mqtt.url`, not of `mqtt`. */
function withMqtt(data: unknown): unknown {
  return typeof data === 'object' && !Array.isArray(data) ? { mqtt: {}, ...data } : data;
}

/** Gives every issue its place, in the order of the file. */
function place(issues: Issue[], file: string | null, yaml: YamlFile | null, overrides: readonly Override[]): Problem[] {
  const placed = issues.map(({ path, message, hint, at }) => {
    const text = pathText(path);
    const override = overrides.find(other => other.path.every((step, index) => step === path[index]));
    const offset = override ? null : (yaml?.locate(path, at) ?? 0);
    const problem: Problem =
      file !== null && yaml && offset !== null
        ? { path: text, message, hint, ...inFile(file, yaml, offset) }
        : {
            path: text,
            message,
            hint,
            where: ['environment', override?.variable].filter(Boolean).join(' '),
            source: null,
          };
    return { offset: offset ?? Number.POSITIVE_INFINITY, problem };
  });
  return placed.toSorted((a, b) => a.offset - b.offset).map(({ problem }) => problem);
}

function inFile(file: string, yaml: YamlFile, offset: number): Pick<Problem, 'where' | 'source'> {
  return { where: `${file}:${yaml.position(offset)}`, source: yaml.sourceLine(offset) };
}

function nothingFound(cwd: string, others: readonly Problem[]): ConfigError {
  const looked = usualPlaces.map(place => resolve(cwd, place)).join(', ');
  const hint = 'name a file with --config or DSM2MQTT_CONFIG, or set DSM2MQTT_MQTT__URL and DSM2MQTT_VMS__0__DOMAIN';
  const problem = {
    where: 'configuration',
    path: '',
    message: `no file found; looked for ${looked}`,
    hint,
    source: null,
  };
  return new ConfigError([problem, ...others]);
}

/** A number far out of bounds is told twice. */
function distinct(issues: Issue[]): Issue[] {
  const byText = new Map(issues.map(issue => [`${pathText(issue.path)}: ${issue.message}`, issue]));
  return [...byText.values()];
}

function checkLibvirt(libvirt: RawConfig['libvirt'], checkUri: NonNullable<LoadOptions['checkUri']>): Issue[] {
  const message = checkUri(libvirt.uri, libvirt.read_only);
  return message === null ? [] : [{ path: ['libvirt', 'uri'], message, hint: null, at: 'value' }];
}
