import type { Fault } from './fault.ts';
import type { Path } from './shape.ts';

/** One thing wrong, told by the part that found it; where it stands is looked up afterwards. */
export interface Issue extends Fault {
  path: Path;
  /** Whether the key itself is wrong (it should not be there) or its value. */
  at: 'key' | 'value';
}

/** One thing wrong, as people read it. */
export interface Problem {
  /** `config.yaml:3:14`, `environment DSM2MQTT_MQTT__URL`, or plain `environment`. */
  where: string;
  /** `vms[0].domain`; empty for the whole file. */
  path: string;
  message: string;
  hint: string | null;
  /** The line of the file, everything but known harmless values masked; null for the environment. */
  source: SourceLine | null;
}

export interface SourceLine {
  /** From 1. */
  line: number;
  text: string;
  /** Characters before the place in `text`. */
  caret: number;
}

/** The configuration cannot be used; every problem at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'invalid_configuration';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], options?: ErrorOptions) {
    super(problems.map(problemLine).join('\n'), options);
    this.problems = problems;
  }
}

/** Compiler style, with the source line and a caret where there is one, and the count. */
export function renderProblems(problems: readonly Problem[]): string {
  const count = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`;
  return [...problems.map(renderProblem), count].join('\n\n');
}

function renderProblem(problem: Problem): string {
  const { hint, source } = problem;
  const lines = [problemLine(problem)];
  if (source) {
    const number = String(source.line).padStart(5);
    lines.push(`${number} | ${source.text}`, `${' '.repeat(5)} | ${' '.repeat(source.caret)}^`);
  }
  if (hint) lines.push(`      hint: ${hint}`);
  return lines.join('\n');
}

function problemLine({ where, path, message }: Problem): string {
  return path ? `${where}: ${path}: ${message}` : `${where}: ${message}`;
}
