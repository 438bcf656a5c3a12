import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { manPage } from '../../scripts/artefacts/man.ts';
import { argumentsOf, generalOptions, optionsOf, programOptions } from '../../scripts/artefacts/options.ts';
import { exitCode } from '../../src/cli/terminal.ts';
import { verbs } from '../../src/cli/verbs.ts';

const page = manPage('1.2.3', '2026-01-31');
/** As it is read: without fonts and escapes. */
const words = page
  .replaceAll(/\\f[BIR]|\\&/g, '')
  .replaceAll('\\-', '-')
  .replaceAll('\\(aq', "'");
const part = (heading: string) => words.split(/^\.S[HS] /m).find(text => text.startsWith(`${heading}\n`)) ?? '';

test('every command has its arguments and options', () => {
  for (const verb of verbs) {
    const text = part(verb.name);
    const args = argumentsOf(verb).map(({ name }) => name);
    const options = optionsOf(verb).filter(({ names }) => !/--(config|help)/.test(names.join()));
    for (const name of [...args, ...options.map(({ names }) => names.join(', '))])
      expect(text).toContain(`.TP\n${name}`);
    expect(part('SYNOPSIS')).toContain(['dsm2mqtt', verb.name].join(' '));
  }
  for (const { names } of generalOptions) expect(part('OPTIONS')).toContain(names.join(', '));
});

test('every exit code is told', () => {
  for (const code of Object.values(exitCode)) expect(part('EXIT STATUS')).toContain(`.TP\n${code}\n`);
});

test('the program has exactly these options', () => {
  const help = (...args: string[]) => {
    const text = execFileSync(process.execPath, ['src/cli/index.ts', ...args, '--help'], { encoding: 'utf8' });
    return [...text.matchAll(/^ {2}(-[^ ,]+(?:, --[^ ]+)?)/gm)].map(([, names]) => names);
  };
  expect(help()).toEqual(programOptions.map(({ names }) => names.join(', ')));
  for (const verb of verbs.filter(({ name }) => name === 'send'))
    expect(help(verb.name)).toEqual(optionsOf(verb).map(({ names }) => names.join(', ')));
});

test('version, day, and nothing of Markdown', () => {
  expect(page).toContain('.TH DSM2MQTT 1 "2026-01-31" "dsm2mqtt 1.2.3"');
  expect(part('EXAMPLES')).toContain("dsm2mqtt check DSM || echo 'not up'");
  expect(words).not.toMatch(/`|\]\(|^\|/m);
  expect(page).toMatch(/^[\x20-\x7e\n]+$/);
});

/** Each with what it would say of a page that is wrong. */
const readers = [
  ['man', ['--warnings', '-E', 'UTF-8', '-Tutf8', '-Z', '-l', '-']],
  ['groff', ['-man', '-T', 'utf8', '-ww', '-Z']],
  ['mandoc', ['-T', 'lint', '-W', 'warning']],
] as const;

test.for(readers)('%s has no warning', ([program, args], { skip }) => {
  const { error, status, stdout, stderr } = spawnSync(program, args, { input: page, encoding: 'utf8' });
  if (error) skip(`${program} is not installed`);
  expect(stderr).toBe('');
  if (program === 'mandoc') expect(stdout).toBe('');
  expect(status).toBe(0);
});
