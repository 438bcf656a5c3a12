import { type Verb, verbs } from '../../src/cli/verbs.ts';
import { rebootMethods, shutdownMethods, timeoutPolicies } from '../../src/model/command.ts';
import { commandWords, rowOf } from '../../src/model/commands.ts';
import { argumentsOf, type Option, optionsOf, programOptions } from './options.ts';

/** Makes the completions for three shells from the table of verbs. VMs are left out: reading the configuration takes too long. */

/** What an option or an argument can be, by its name. */
const choices: Readonly<Record<string, readonly string[]>> = {
  '--on-timeout': timeoutPolicies,
  '--method': [...new Set([...shutdownMethods, ...rebootMethods])],
  command: commandWords,
  value: ['on', 'off'],
};
/** The commands that take a value. */
const switches = commandWords.filter(word => rowOf(word).options?.includes('enabled'));
const anySwitch = `(${switches.join('|')})`;
const withValue = verbs.flatMap(optionsOf).filter(({ value }) => value !== null);
/** Each option that takes a value, once. */
const takers = [...new Map(withValue.map(one => [one.names.join(), one])).values()];

/** The text of each file, by the name of the shell. */
export function completions(): { bash: string; zsh: string; fish: string } {
  return { bash: bash(), zsh: zsh(), fish: fish() };
}

const choicesOf = ({ names }: Option) => choices[names.at(-1) ?? ''] ?? [];
const namesOf = (options: readonly Option[]) => options.flatMap(({ names }) => names).join(' ');
const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function bash(): string {
  const values = takers.map(one => {
    const then = one.value === 'file' ? 'compopt -o default' : `words='${choicesOf(one).join(' ')}'`;
    return `    ${one.names.join(' | ')}) ${then} ;;`;
  });
  const words = verbs.flatMap(verb =>
    argumentsOf(verb).flatMap(({ name }, at) => {
      const before = `'${at + 1} ${verb.name} '*`;
      const pattern = name === 'value' ? switches.map(word => `${before}' ${word}'`).join(' | ') : before;
      return choices[name] ? [`      ${pattern}) words='${choices[name].join(' ')}' ;;`] : [];
    }),
  );
  return `# bash completion of dsm2mqtt
_dsm2mqtt() {
  local cur=\${COMP_WORDS[COMP_CWORD]} option= words= word given=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    # bash makes three words of --config=FILE.
    if [[ $word == = ]]; then continue; fi
    if [[ $option ]]; then option=; continue; fi
    case $word in
      ${takers.flatMap(({ names }) => names).join(' | ')}) option=$word ;;
      -*) ;;
      *) given+=("$word") ;;
    esac
  done
  if [[ $cur == = ]]; then cur=; fi
  case $option in
${values.join('\n')}
  esac
  if [[ ! $option && $cur == -* ]]; then
    case \${given[0]-} in
      '') words='${namesOf(programOptions)}' ;;
${verbs.map(verb => `      ${verb.name}) words='${namesOf(optionsOf(verb))}' ;;`).join('\n')}
    esac
  elif [[ ! $option ]]; then
    case "\${#given[@]} \${given[*]}" in
      '0 ') words='${verbs.map(({ name }) => name).join(' ')}' ;;
${words.join('\n')}
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _dsm2mqtt dsm2mqtt
`;
}

function zsh(): string {
  const spec = (one: Option) => {
    const { names, description, value } = one;
    const marks = names.map(name => (value === null ? name : `${name}${name.startsWith('--') ? '=' : '+'}`));
    const action = value === 'file' ? '_files' : choicesOf(one).length > 0 ? `(${choicesOf(one).join(' ')})` : ' ';
    const rest = `[${description.replaceAll(/[\\\]]/g, String.raw`\$&`)}]${value === null ? '' : `:${value}:${action}`}`;
    return marks.map(mark => quoted(`${marks.length > 1 ? `(${names.join(' ')})` : ''}${mark}${rest}`)).join(' ');
  };
  const place = ({ name, needed }: { name: string; needed: boolean }, at: number) =>
    quoted(`${at + 1}:${needed ? '' : ':'}${name}:${choices[name] ? `(${choices[name].join(' ')})` : ' '}`);
  const cases = verbs.map(verb => {
    const specs = [...optionsOf(verb).map(spec), ...argumentsOf(verb).map(place)];
    return `    ${verb.name}) _arguments -s ${specs.join(' \\\n      ')} ;;`;
  });
  return `#compdef dsm2mqtt
_dsm2mqtt() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a verbs=(
${verbs.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
  )
  _arguments -C ${programOptions.map(spec).join(' ')} '1: :->verb' '*:: :->rest' && return
  if [[ $state == verb ]]; then _describe command verbs; return; fi
  case $words[1] in
${cases.join('\n')}
  esac
}
_dsm2mqtt "$@"
`;
}

function fish(): string {
  const line = (given: string, rest: string) =>
    `complete -c dsm2mqtt -n ${quoted(`__dsm2mqtt_given ${given}`)} ${rest}`;
  const spec = (one: Option) => {
    const { names, description, value } = one;
    const flags = names.map(name => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
    const action = value === 'file' ? ' -rF' : value === null ? '' : ` -xa ${quoted(choicesOf(one).join(' '))}`;
    return `${flags.join(' ')}${action} -d ${quoted(description)}`;
  };
  const ofVerb = (verb: Verb) => [
    line('""', `-a ${verb.name} -d ${quoted(verb.summary)}`),
    ...optionsOf(verb).map(one => line(`"${verb.name}(/.*)?"`, spec(one))),
    ...argumentsOf(verb).flatMap(({ name }, at) => {
      const before = Array.from({ length: at }, (_, i) => (name === 'value' && i === at - 1 ? anySwitch : '[^/]*'));
      const pattern = `"${[verb.name, ...before].join('/')}"`;
      return choices[name] ? [line(pattern, `-a ${quoted(choices[name].join(' '))}`)] : [];
    }),
  ];
  return `# fish completion of dsm2mqtt
# Whether the command and its arguments before the cursor, with / between them, match the pattern.
function __dsm2mqtt_given
    set -l given
    set -l option
    for word in (commandline -opc)[2..]
        if set -q option[1]
            set -e option[1]
            continue
        end
        switch $word
            case ${takers.flatMap(({ names }) => names).join(' ')}
                set option $word
            case '-*'
            case '*'
                set -a given $word
        end
    end
    set -l line (string join / -- $given)
    string match -qr -- "^$argv\\$" "$line"
end
complete -c dsm2mqtt -f
${[...programOptions.map(one => line('""', spec(one))), ...verbs.flatMap(ofVerb)].join('\n')}
`;
}
