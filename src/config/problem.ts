export type Path = readonly (string | number)[];

/** What is wrong with a value, and what to write instead. No message repeats a value that may be a secret. */
export interface Fault {
  message: string;
  hint: string | null;
}

/** One fault; its place is looked up afterwards. */
export interface Issue extends Fault {
  path: Path;
  /** Whether the key itself is wrong, or its value. */
  at: 'key' | 'value';
}

/** One thing wrong, as people read it. */
export interface Problem extends Fault {
  /** `config.yaml:3:14`, `environment DSM2MQTT_MQTT__URL`, or plain `environment`. */
  where: string;
  /** `vms[0].domain`; empty for the whole file. */
  path: string;
}

/** The configuration cannot be used; every problem at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'invalid_configuration';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(problemLine).join('\n'));
    this.problems = problems;
  }
}

/** Compiler style, each with its hint below it, and the count. */
export function renderProblems(problems: readonly Problem[]): string {
  const count = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`;
  const lines = problems.map(problem => [problemLine(problem), ...(problem.hint ? [`  hint: ${problem.hint}`] : [])]);
  return [...lines.map(one => one.join('\n')), count].join('\n\n');
}

function problemLine({ where, path, message }: Problem): string {
  return [where, path, message].filter(Boolean).join(': ');
}
