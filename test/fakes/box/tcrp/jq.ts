/** As much of jq as the loader's commands use: `-e . FILE`, `-e '.a.b == "c" and …' FILE`. Others end with 3, as bad ones do. */
export function jq(args: readonly string[], read: (file: string) => string): { status: number; text: string } {
  const [option, filter = '', file = ''] = args;
  const terms = (filter === '.' ? [] : filter.split(' and ')).map(term => /^\.(\w+)\.(\w+) == (".*")$/.exec(term));
  if (option !== '-e' || args.length !== 3 || terms.includes(null)) {
    return { status: 3, text: `jq: this is beyond the fake one: ${args.join(' ')}\n` };
  }
  const content = read(file);
  // Nothing in, nothing out.
  if (content.trim() === '') return { status: 4, text: '' };
  try {
    const json = JSON.parse(content);
    const holds = terms.every(term => json[`${term?.[1]}`]?.[`${term?.[2]}`] === JSON.parse(`${term?.[3]}`));
    return { status: holds ? 0 : 1, text: `${holds}\n` };
  } catch (error) {
    return { status: 2, text: `parse error: ${(error as Error).message}\n` };
  }
}
