import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completions } from '../../scripts/artefacts/completion.ts';
import { optionsOf, programOptions } from '../../scripts/artefacts/options.ts';
import { verbs } from '../../src/cli/verbs.ts';
import { commandWords } from '../../src/model/commands.ts';

const texts = completions();
const names = verbs.map(({ name }) => name);
const longOnly = (words: readonly string[]) => words.filter(word => !/^-\w$/.test(word));

/** What the shell offers after these words, the last of which is begun; null: the shell is not installed. */
const shells: Readonly<Record<string, (words: readonly string[]) => string[] | null>> = {
  bash: words => {
    const script = `${texts.bash}
      compopt() { echo "$@"; }
      COMP_WORDS=(dsm2mqtt "$@") COMP_CWORD=$#
      _dsm2mqtt
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    // bash itself makes three words of it.
    const split = words.flatMap(word => (/^--\S+=/.test(word) ? word.split(/(=)/).filter(Boolean) : [word]));
    return offered('bash', ['-c', script, 'bash', ...split]);
  },
  fish: words => {
    const line = ['dsm2mqtt', ...words].join(' ');
    const offers = offered('fish', ['--no-config', '-c', `${texts.fish}\ncomplete -C '${line}'`]);
    // The second column is a description; of `--a=b` it offers the whole.
    return offers?.map(offer => offer.replace(/\t.*/, '').replace(/^--.*=/, '')) ?? null;
  },
};

function offered(program: string, args: readonly string[]): string[] | null {
  const { error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) return null;
  expect(stderr).toBe('');
  return stdout.split('\n').filter(line => line !== '');
}

const cases: readonly (readonly [line: string, offers: readonly string[]])[] = [
  ['', names],
  ['sh', ['shutdown']],
  ['--', longOnly(programOptions.flatMap(option => option.names))],
  ['send ', []],
  ['send DSM ', commandWords],
  ['send -t 4m DSM sc', ['screenshot']],
  ['send DSM autostart ', ['on', 'off']],
  ['send DSM start ', []],
  ['send DSM shutdown --on-timeout ', ['report', 'force_off']],
  ['send DSM shutdown --on-timeout=', ['report', 'force_off']],
  ['send DSM shutdown --on-timeout=f', ['force_off']],
  ['send DSM --by cron --wait arm ', ['on', 'off']],
  ['shutdown --timeout ', []],
  ...verbs.map(verb => [`${verb.name} --`, longOnly(optionsOf(verb).flatMap(option => option.names))] as const),
];

test.for(Object.entries(shells))('%s offers what fits', ([shell, complete], { skip }) => {
  if (complete(['']) === null) skip(`${shell} is not installed`);
  for (const [line, offers] of cases) expect(complete(line.split(' '))?.toSorted(), line).toEqual(offers.toSorted());
});

test('bash and fish offer files where a file is meant', () => {
  expect(shells['bash']?.(['run', '--config', ''])).toEqual(['-o default']);
  expect(shells['bash']?.(['dump', '-o', 'x'])).toEqual(['-o default']);
  expect(shells['fish']?.(['run', '-c', 'package.j']) ?? ['package.json']).toEqual(['package.json']);
});

test.for(['bash', 'zsh', 'fish'] as const)('%s reads it; every command and option is in it', (shell, { skip }) => {
  const text = texts[shell];
  for (const verb of verbs) {
    expect(text).toMatch(new RegExp(`\\b${verb.name}\\b`));
    for (const option of optionsOf(verb).flatMap(({ names }) => names))
      expect(text).toContain(shell === 'fish' ? option.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s ') : option);
  }
  const { error, stderr } = spawnSync(shell, ['-n', '-c', text], { encoding: 'utf8' });
  if (error) skip(`${shell} is not installed`);
  expect(stderr).toBe('');
});
