import { readFileSync } from 'node:fs';
import manifest from '../../package.json' with { type: 'json' };
import { type Verb, verbs } from '../../src/cli/verbs.ts';
import { argumentsOf, generalOptions, type Option, optionsOf } from './options.ts';

/**
 * Makes dsm2mqtt.1 in roff's `man` macros. Commands and options come from the table of verbs; what else is said of them,
 * exit codes and examples from docs/command-line.md.
 */

const docs = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** `date`: YYYY-MM-DD. */
export function manPage(version: string, date: string): string {
  const { '': general = [], ...sections } = sectionsOf(docs('command-line.md'));
  const all = [general, ...Object.values(sections)].flat();
  const environment = blocks(docs('configuration.md')).find(block => block.includes('in the environment'));
  if (!environment) throw new Error('docs/configuration.md says nothing of the environment');
  const parts = [
    // Words to copy stay whole: no hyphenation, no stretched lines.
    `.TH DSM2MQTT 1 "${date}" "dsm2mqtt ${version}"\n.nh\n.ad l`,
    `.SH NAME\ndsm2mqtt \\- ${inline(manifest.description)}`,
    `.SH SYNOPSIS\n${verbs.map(synopsis).join('\n.br\n')}`,
    `.SH DESCRIPTION\n${paragraphs([introduction, ...general, 'In topics, `B` is `mqtt.base_topic`.'])}`,
    ['.SH OPTIONS', ...generalOptions.map(option)].join('\n'),
    ['.SH COMMANDS', ...verbs.map(verb => command(verb, sections))].join('\n'),
    `.SH EXIT STATUS\n${exitCodes(general)}`,
    ...Object.entries(sections)
      .filter(([, section]) => exitCodes(section) !== '')
      .map(([name, section]) => `.PP\nOf ${bold(name)}:\n${exitCodes(section)}`),
    ['.SH FILES', ...files.map(([name, meaning]) => item(bold(name), meaning))].join('\n'),
    `.SH ENVIRONMENT\n${item(bold('DSM2MQTT_CONFIG'), variable)}`,
    item(`${bold('DSM2MQTT_')}${italic('KEY')}`, environment),
    `.SH EXAMPLES\n${all
      .filter(block => block.startsWith('```'))
      .map(example)
      .join('\n.PP\n')}`,
    `.SH BUGS\nReport them, with the output of\n.BR "dsm2mqtt dump" ,\nas an\n.UR ${manifest.bugs}\nissue\n.UE .`,
    '.SH SEE ALSO\n.BR virsh (1),\n.BR mosquitto (8),\n.BR systemctl (1)',
    `.PP\nThe pages that are named here are in the\n.UR ${manifest.homepage}\ndocumentation\n.UE .`,
  ];
  return `${parts.join('\n')}\n`;
}

const variable = 'the configuration file. The Debian package takes `/etc/dsm2mqtt/config.yaml` if this is not set';
const introduction =
  '`dsm2mqtt run` is the bridge between libvirt and an MQTT broker. The other commands ask it, control it, or help to set it up.';
/** Where the Debian package has them: it brings this page. */
const files = [
  ['/etc/dsm2mqtt/config.yaml', 'the configuration'],
  ['/etc/dsm2mqtt/mqtt_password', "the broker's password, alone; empty if the broker asks for none"],
  ['/var/lib/dsm2mqtt', 'what the service stores'],
  ['/usr/share/dsm2mqtt/config.example.yaml', 'every key with its default'],
] as const;

function synopsis(verb: Verb): string {
  const words = argumentsOf(verb).map(({ name, needed }) => (needed ? italic(name) : `[${italic(name)}]`));
  return [bold(`dsm2mqtt ${verb.name}`), ...words, `[${italic('option')} ...]`].join(' ');
}

function command(verb: Verb, sections: Readonly<Record<string, readonly string[]>>): string {
  const { name, summary } = verb;
  // One heading names two verbs, another a verb with an option: the page's text belongs to the first of them.
  const told = Object.entries(sections).filter(([heading]) => heading.split(/[ ,]/)[0] === name);
  const text = paragraphs([sentence(summary), ...told.flatMap(([, section]) => section)]);
  const own = optionsOf(verb).filter(
    ({ names }) => !generalOptions.some(general => general.names.join() === names.join()),
  );
  return [
    `.SS ${code(name)}\n${text}`,
    ...argumentsOf(verb).map(argument => item(italic(argument.name), argument.meaning)),
    ...own.map(option),
  ].join('\n');
}

function option({ names, value, description }: Option): string {
  const flags = names.map(bold).join(', ');
  return item(value === null ? flags : `${flags} ${italic(value)}`, description);
}

/** The rows of the section's table of exit codes. */
function exitCodes(section: readonly string[]): string {
  const table = section.find(block => block.startsWith('| Exit code |')) ?? '';
  return table
    .split('\n')
    .slice(2)
    .map(row => row.split('|').map(cell => cell.trim()))
    .map(([, status = '', meaning = '']) => item(bold(status), meaning))
    .join('\n');
}

function example(block: string): string {
  return `.nf\n.RS\n${block.split('\n').slice(1, -1).map(code).join('\n')}\n.RE\n.fi`;
}

/** A page's blocks below each heading; those before the first one have none. */
function sectionsOf(page: string): Record<string, string[]> {
  const sections: Record<string, string[]> = { '': [] };
  let current = sections[''];
  for (const block of blocks(page)) {
    if (block.startsWith('## ')) sections[block.slice(3)] = current = [];
    else current?.push(block);
  }
  return sections;
}

const blocks = (page: string) => page.trim().split(/\n\n+/);
const isText = (block: string) => !/^(?:#|\||```|<!--)/.test(block);
const paragraphs = (section: readonly string[]) => section.filter(isText).map(text).join('\n.PP\n');
const item = (name: string, meaning: string) => `.TP\n${name}\n${text(meaning)}`;
const bold = (name: string) => `\\fB${code(name)}\\fR`;
const italic = (name: string) => `\\fI${escaped(name)}\\fR`;
const sentence = (phrase: string) => `${phrase.charAt(0).toUpperCase()}${phrase.slice(1)}.`;

/** A sentence a line, as roff wants it to set the space between them. */
function text(markdown: string): string {
  return inline(markdown.replaceAll(/(?<=[.?!:]) (?=[A-Z`[])/g, '\n'));
}

/** Code becomes bold, and a link to a page its name in italics. */
function inline(markdown: string): string {
  return markdown.replaceAll(/`([^`]+)`|\[([^\]]+)\]\([^)]*\)|[^`[]+|./g, (plain, typed?: string, page?: string) => {
    if (typed !== undefined) return bold(typed);
    return page === undefined ? escaped(plain) : italic(page.replaceAll('`', ''));
  });
}

/** As it is typed: no hyphen and no quote may become another character. */
function code(words: string): string {
  return escaped(words)
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti');
}

function escaped(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll(/^[.']/gm, '\\&$&')
    .replaceAll(/[^\x20-\x7e\n]/gu, char => `\\[u${char.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`);
}
